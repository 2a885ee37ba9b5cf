import type { Environment } from '../environment.ts'
import type { AccessInputs } from '../inputs/store.ts'
import { GitHubRepository } from '../notify/github-issues.ts'

/** The repository of the run; undefined without its name or a token. */
export function repositoryOf(
  { token, timeout }: Pick<AccessInputs, 'token' | 'timeout'>, { variables, signal }: Pick<Environment, 'variables' | 'signal'>,
): GitHubRepository | undefined {
  const { GITHUB_REPOSITORY: repository, GITHUB_API_URL: api } = variables
  return token && repository && /^[\w.-]+\/[\w.-]+$/.test(repository) ? new GitHubRepository({
    repository,
    api,
    token,
    signal,
    timeout,
  }) : undefined
}
