import type { Environment } from '../../environment.ts'
import { ChildError, runChild } from '../../process/child.ts'

/** Variables that git and gh need; those with secrets of Lifeboat are not among them. */
const PASSED = new RegExp(`^(?:${[
  'PATH', 'HOME', 'USER', 'LANG', 'LC_\\w+', 'TMPDIR', 'XDG_\\w+', 'GH_\\w+', 'GITHUB_TOKEN', 'GIT_\\w+', 'SSL_CERT_\\w+',
  '(?:HTTPS?|NO|ALL)_PROXY',
].join('|')})$`, 'i')

/** Longer than any of these programs takes, with a bad connection. */
const LONGEST_MS = 60_000

/** Runs git or gh to its end: everything it prints. Throws `ChildError`, also if the program is not there. */
export async function runProgram(
  program: 'git' | 'gh', parameters: readonly string[], { variables, signal }: Pick<Environment, 'variables' | 'signal'>, input?: string,
): Promise<string> {
  const passed = Object.entries(variables).filter((one): one is [string, string] => PASSED.test(one[0]) && one[1] !== undefined)
  const { stdout } = await runChild(program, parameters, {
    environment: { ...Object.fromEntries(passed), GH_PROMPT_DISABLED: '1', GIT_TERMINAL_PROMPT: '0', NO_COLOR: '1' },
    signal: AbortSignal.any([signal, AbortSignal.timeout(LONGEST_MS)]),
    ...(input !== undefined && { input }),
  })
  return stdout
}

/** The same; undefined if it fails. Throws only when the run is interrupted. */
export async function printedBy(...given: Parameters<typeof runProgram>): Promise<string | undefined> {
  try {
    return (await runProgram(...given)).trim()
  } catch {
    // The caller does without it.
    given[2].signal.throwIfAborted()
    return undefined
  }
}

/** The last line of what a program said when it failed. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof ChildError)) return error instanceof Error ? error.message : String(error)
  return error.exit.stderr.trim().split('\n').at(-1) || error.message
}
