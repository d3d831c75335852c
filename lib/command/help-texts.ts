/**
 * The words that `ipvs` takes besides ipvsadm's command line, and the help of each. Completion and the manual page are made from these
 * texts.
 */
export const helpTexts: Readonly<Record<string, () => Promise<string>>> = {
  top: async () => (await import('./top-options.js')).topHelp,
  director: async () => (await import('./director/options.js')).directorHelp,
  'director hand-over': async () => (await import('./director/hand-over.js')).handOverHelp,
  fleet: async () => (await import('./fleet.js')).fleetHelp,
  'fleet apply': async () => (await import('./fleet-apply.js')).fleetApplyHelp,
  register: async () => (await import('./register.js')).registerHelp,
  doctor: async () => (await import('./doctor.js')).doctorHelp,
  digest: async () => (await import('./digest.js')).digestHelp,
  completion: async () => (await import('./completion-help.js')).completionHelp,
}
