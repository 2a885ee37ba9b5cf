import { createHash } from 'node:crypto'
import type { Environment } from '../../environment.ts'
import { LifeboatError, messageOf } from '../../error.ts'
import type { AccessInputs } from '../../inputs/store.ts'
import { attestStatement, type Bundle, PERMISSIONS } from '../../notify/attestation.ts'
import type { Keys } from '../../repository/keys.ts'
import type { Verification } from '../../repository/proofs.ts'
import { readSnapshot } from '../../repository/catalog.ts'
import { decodeSnapshot, snapshotKey } from '../../repository/snapshot.ts'
import type { Store } from '../../stores/store.ts'
import { VERSION } from '../../version.ts'
import { repositoryOf } from '../github.ts'
import { recoveryOf } from '../proven.ts'

/** The type of the predicate below; docs/security.md describes it. */
const PREDICATE = 'urn:lifeboat:verification:v1'

/**
 * Attests a verification with the identity of the job. Without its permissions, or outside of a workflow, there is a warning, and no
 * attestation: the verification holds all the same.
 */
export async function attestation(
  verification: Verification, store: Store, keys: Keys, access: AccessInputs, environment: Environment,
): Promise<Bundle | undefined> {
  const { report, signal, variables } = environment
  try {
    const repository = repositoryOf(access, environment)
    if (!repository) throw new LifeboatError('this is no job of a workflow, or it has no token', { hint: PERMISSIONS })
    const { snapshot, set } = verification
    const subject = { name: snapshot, digest: { sha256: await digestOf(store, snapshotKey(set, snapshot), keys) } }
    return await attestStatement({ subject, predicateType: PREDICATE, predicate: predicateOf(verification) }, repository, variables)
  } catch (error) {
    signal.throwIfAborted()
    report.warning(`the verification was not attested: ${messageOf(error)}`, error instanceof LifeboatError ? error.hint : undefined)
    return undefined
  }
}

/** SHA-256 of a snapshot object, whose MAC is verified. */
function digestOf(store: Store, key: string, keys: Keys): Promise<string> {
  return readSnapshot(store, key, async (object) => {
    await decodeSnapshot(key, object, keys)
    return createHash('sha256').update(object).digest('hex')
  })
}

/** Numbers and no names: in a public repository everyone can read it. */
function predicateOf({ time, level, result, seconds, bytes, drill }: Verification): object {
  return {
    level,
    result,
    verifiedAt: time.toISOString(),
    bytesRead: bytes,
    seconds,
    ...(drill && {
      drill: {
        entries: drill.entries, rows: drill.rows, bytes: drill.bytes, wording: drill.wording, assertions: drill.assertions,
        recoverySeconds: recoveryOf(drill),
      },
    }),
    lifeboat: VERSION,
  }
}
