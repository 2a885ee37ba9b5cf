import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import { secretsOfUrl } from '../../net/url.ts'
import type { StoreKind } from '../kind.ts'
import { type ArtifactDestination, parseArtifact } from './destination.ts'
import { artifactRetention, grantedDays } from './retention.ts'
import { ArtifactStore } from './store.ts'

export const artifactKind: StoreKind<ArtifactDestination> = {
  names: ['artifact'],
  help: {
    pattern: 'artifact, the artifacts of the repository',
    expected: 'artifact',
    variables: ['GITHUB_TOKEN', 'GITHUB_REPOSITORY'],
    permissions: 'actions: read',
  },
  parse: parseArtifact,
  secrets: (text) => secretsOfUrl(text, []),
  // A workflow has both; at a terminal, where artifacts are the default as well, the user may not have thought of them.
  requireAccess({ token }, variables) {
    if (variables['ACTIONS_RUNTIME_TOKEN']) return
    const missing = [...(variables['GITHUB_REPOSITORY'] ? [] : ['GITHUB_REPOSITORY']), ...(token === undefined ? ['a token'] : [])]
    if (missing.length === 0) return
    const are = missing.length > 1 ? 'are' : 'is'
    throw new LifeboatError(`destination is artifact, the artifacts of a repository, but ${missing.join(' and ')} ${are} not given`, {
      hint:
        marked`Without ‹destination› the default, artifact, applies. Give it, file:PATH for instance; or set GITHUB_REPOSITORY ` +
        marked`(owner/name) and give ‹token›, ` +
        'a token that may read the actions of that repository.',
      status: 2,
    })
  },
  open(_, { set, token, timeout, keptDays, thenGone, stagingLimit, fullEvery }, { variables, temporary, signal, report, now }) {
    const wanted = artifactRetention(keptDays, grantedDays(variables))
    // Nothing of these can be depended on by a later backup.
    const days = thenGone ? Math.max(1, Math.ceil(keptDays ?? Infinity)) : Infinity
    const retention = { ...wanted, artifact: Math.min(wanted.artifact, days) }
    return new ArtifactStore({ set, token, timeout, retention, stagingLimit, fullEvery, variables, temporary, signal, report, now })
  },
}
