import type { Environment } from '../../environment.ts'
import { printedBy, reasonOf, runProgram } from './program.ts'

type Surroundings = Pick<Environment, 'variables' | 'signal'>

/** Whether gh can act for the user. */
export type GhState = 'ready' | 'logged out' | 'not installed'

export async function ghState(environment: Surroundings): Promise<GhState> {
  if ((await printedBy('gh', ['--version'], environment)) === undefined) return 'not installed'
  return (await printedBy('gh', ['auth', 'status'], environment)) === undefined ? 'logged out' : 'ready'
}

/** The folder of the checkout, and its repository as its remote says it. Undefined outside of a git repository. */
export async function checkoutHere(environment: Surroundings): Promise<{ top: string; repository?: string | undefined } | undefined> {
  const top = await printedBy('git', ['rev-parse', '--show-toplevel'], environment)
  if (!top) return undefined
  return { top, repository: repositoryIn(await printedBy('git', ['remote', 'get-url', 'origin'], environment)) }
}

/** `owner/name` of a remote at github.com: `git@github.com:owner/name.git`, `https://github.com/owner/name`. */
export function repositoryIn(remote = ''): string | undefined {
  return /^(?:https:\/\/(?:[^@/]*@)?|(?:ssh:\/\/)?git@)github\.com[:/]([\w.-]+\/[\w.-]+?)(?:\.git)?\/?$/.exec(remote)?.[1]
}

/** The repository that gh works with in this folder. */
export function repositoryOfGh(environment: Surroundings): Promise<string | undefined> {
  return printedBy('gh', ['repo', 'view', '--json', 'nameWithOwner', '--jq', '.nameWithOwner'], environment)
}

/** Whether git has some of the files not as they are now. */
export async function isUncommitted(top: string, files: readonly string[], environment: Surroundings): Promise<boolean> {
  return (await printedBy('git', ['-C', top, 'status', '--porcelain', '--', ...files], environment)) !== ''
}

/** The names of the secrets of a repository; undefined if gh may not see them. */
export async function secretsThere(repository: string, environment: Surroundings): Promise<ReadonlySet<string> | undefined> {
  const printed = await printedBy('gh', ['secret', 'list', '--repo', repository], environment)
  return printed === undefined ? undefined : new Set(printed.split('\n').map((line) => line.split(/\s/)[0]!).filter((name) => name !== ''))
}

/** Sets a secret; why it could not be set. The value goes through standard input. */
export async function setSecret(repository: string, name: string, value: string, environment: Surroundings): Promise<string | undefined> {
  try {
    await runProgram('gh', ['secret', 'set', name, '--repo', repository], environment, value)
    return undefined
  } catch (error) {
    environment.signal.throwIfAborted()
    return reasonOf(error)
  }
}

/** Whether a workflow of the repository ran before; undefined if that is not known: it may not have been pushed yet. */
export async function hasRun(repository: string, file: string, environment: Surroundings): Promise<boolean | undefined> {
  const printed = await printedBy('gh', ['run', 'list', '--repo', repository, '--workflow', file, '--limit', '1'], environment)
  return printed === undefined ? undefined : printed !== ''
}

/** Starts a workflow; why it could not be started. */
export async function startWorkflow(repository: string, file: string, environment: Surroundings): Promise<string | undefined> {
  try {
    await runProgram('gh', ['workflow', 'run', file, '--repo', repository], environment)
    return undefined
  } catch (error) {
    environment.signal.throwIfAborted()
    return reasonOf(error)
  }
}
