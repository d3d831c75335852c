/** Exit statuses of the commands that ipvsadm does not have. */
export const newStatus = {
  /** As it was told to. */
  done: 0,
  /** The answer is no. */
  no: 1,
  /** The command line was not understood. */
  misused: 2,
  /** There is no IPVS, no permission, or something is out of reach. */
  unreachable: 3,
  /** There are warnings, and nothing worse. */
  warnings: 4,
  /** The configuration was refused. */
  refused: 5,
} as const
