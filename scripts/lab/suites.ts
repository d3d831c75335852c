/** The Debian suites whose kernels the lab boots, oldest first. */
export const suites = ['bullseye', 'bookworm', 'trixie', 'sid'] as const
export type Suite = typeof suites[number]
