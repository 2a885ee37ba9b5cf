import { LifeboatError, messageOf } from '../error.ts'

/** The machine could not do its part: no thread could start, no memory was left. That says nothing about any backup. */
export class MachineFailure extends LifeboatError {
  constructor(message: string, cause?: unknown) {
    super(message, {
      cause,
      hint:
        'This says nothing about the backups. Allow more processes (ulimit -u, --pids-limit), memory and open files (ulimit -n), or ' +
        'install Lifeboat again if files of it are missing; then run the same again.',
    })
    this.name = 'MachineFailure'
  }
}

/** Errors of the system (EMFILE, ENOMEM) and of memory, as Node and zstd name them. */
const CODES = /^(E[A-Z0-9]+|ERR_MEMORY_ALLOCATION_FAILED|ERR_ZLIB_INITIALIZATION_FAILED|ZSTD_error_memory_allocation)$/

/** Whether an error in the midst of work on bytes comes from the machine, not from the bytes. */
export function isMachineFailure(error: unknown): boolean {
  if (error instanceof MachineFailure) return true
  if (messageOf(error) === 'Array buffer allocation failed') return true
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && CODES.test(error.code)
}
