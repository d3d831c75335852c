/**
 * The words that `ipvs` takes besides ipvsadm's command line, and the help of each. Completion and the manual page are made from these
 * texts.
 */
export const helpTexts: Readonly<Record<string, () => Promise<string>>> = {
  top: async () => (await import('./top-options.js')).topHelp,
  director: async () => (await import('./director/options.js')).directorHelp,
  doctor: async () => (await import('./doctor.js')).doctorHelp,
  digest: async () => (await import('./digest.js')).digestHelp,
  completion: async () => (await import('./completion-help.js')).completionHelp,
}
