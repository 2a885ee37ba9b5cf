import type { Variables } from '../environment.ts'
import { LifeboatError, messageOf } from '../error.ts'
import type { GitHubRepository } from './github-issues.ts'

/** A predicate of this type about the object with this digest (in-toto Statement v1). */
export interface Statement {
  subject: { name: string; digest: { sha256: string } }
  predicateType: string
  predicate: object
}

/** A Sigstore bundle: the signed statement, the certificate of the job, and proofs of the time (Sigstore Bundle Format v0.3). */
export type Bundle = Record<string, unknown>

export const PERMISSIONS = 'Give the job `permissions: id-token: write` and `attestations: write`.'

/**
 * Signs a statement with the identity of this job, which Sigstore's public instance records in its public log if the repository is public,
 * and GitHub's own instance otherwise, and adds it to the attestations of the repository. Throws a LifeboatError if the job may not.
 */
export async function attestStatement(statement: Statement, repository: GitHubRepository, variables: Variables): Promise<Bundle> {
  if (!variables['ACTIONS_ID_TOKEN_REQUEST_URL']) throw new LifeboatError('this job has no identity token', { hint: PERMISSIONS })
  const bundle = await signed(statement)
  await repository.addAttestation(bundle)
  return bundle
}

async function signed({ subject, predicateType, predicate }: Statement): Promise<Bundle> {
  const { attest } = await import('@actions/attest')
  try {
    const { bundle } = await attest({ subjects: [subject], predicateType, predicate, token: '', skipWrite: true })
    return { ...bundle }
  } catch (cause) {
    throw new LifeboatError(`Sigstore signed nothing: ${messageOf(cause)}`, { cause, hint: PERMISSIONS })
  }
}
