import type { Variables } from '../../environment.ts'
import { startChild } from '../../process/child.ts'
import { endOf } from '../../process/cut.ts'
import { UnaskedCondition, UnmetCondition } from '../source.ts'

/** Characters of the end of what the command says that are shown. */
const MOST_SAID = 300
/** Bytes of it that are kept until it ends. */
const MOST_KEPT = 4096
/** The shell's statuses of a command that is not there or cannot be run. */
const NOT_RUN = [126, 127]

interface Assertion {
  command: string
  /** Of the restored volume. */
  folder: string
  source: string
  variables: Variables
  signal: AbortSignal
}

/** Runs a command of the user in a restored volume, without the inputs and secrets of the job. Gives the problem if it does not succeed. */
export async function checkCommand({ command, folder, source, variables, signal }: Assertion): Promise<unknown[]> {
  const environment = { PATH: variables.PATH ?? '', LC_ALL: 'C.UTF-8', LIFEBOAT_SOURCE: source }
  const child = startChild('/bin/sh', ['-c', command], { environment, folder, signal, stderrLimit: MOST_KEPT })
  child.end()
  let said = Buffer.alloc(0)
  try {
    for await (const piece of child.stdout) said = Buffer.concat([said, piece]).subarray(-MOST_KEPT)
    return []
  } catch (cause) {
    signal.throwIfAborted()
    const { status, stderr } = await child.exit
    const text = stderr.trim() || said.toString().trim()
    const why = text === '' ? '' : `: ${text.length > MOST_SAID ? '… ' : ''}${endOf(text, MOST_SAID)}`
    if (status === null || NOT_RUN.includes(status))
      return [new UnaskedCondition(`assert-command: it could not be run on ${source}${why}`, { cause })]
    return [new UnmetCondition(`assert-command: it ended with exit status ${status} on the restored ${source}${why}`)]
  }
}
