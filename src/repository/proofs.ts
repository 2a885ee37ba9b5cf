import { z } from 'zod'
import { LifeboatError, messageOf } from '../error.ts'
import { unmarked } from '../marks.ts'
import { inParallel } from '../process/parallel.ts'
import { DamagedObject, isThere, NotFound, type Store } from '../stores/store.ts'
import { parsedJson } from './json.ts'
import type { Keys } from './keys.ts'
import { decrypt, encrypt } from './sealing/age.ts'
import { compress, decompressUpTo } from './sealing/zstd.ts'
import { isAtLeast, LEVELS } from './levels.ts'
import { LIMITS } from './limits.ts'
import { isOfAnotherKey, isTagged, sign, signerOf, splitSigned, tagOf } from './signed.ts'
import { FORMAT } from './format.ts'
import { fingerprint, idTime, orderedId, setName, snapshotId, snapshotKey } from './snapshot.ts'

const CHUNK = /^chunks\/[0-9a-f]{2}\/[0-9a-f]{64}-[0-9a-f]{8}$/
/** One problem for all: there may be many. */
const objectKeys = z.custom<string[]>(
  (list) => Array.isArray(list) && list.every((key) => typeof key === 'string' && CHUNK.test(key)), 'it is not a list of chunk objects',
)

const seconds = z.number().min(0)

/** The result of a verification of a snapshot. Without `details` it tells no more than the snapshot's header does. */
const proofSchema = z.strictObject({
  format: z.literal(FORMAT),
  snapshot: snapshotId,
  set: setName,
  /** When the verification ended. */
  time: z.iso.datetime({ precision: 3 }),
  /** Fingerprint of the recipient, as in a snapshot. */
  key: fingerprint,
  level: z.enum(LEVELS),
  /** `conditions not met`: everything of it was read back, restored and found equal, but the data is not as its owner expects. */
  result: z.enum(['verified', 'failed', 'could not verify', 'conditions not met']),
  seconds,
  /** Plaintext bytes read and checked. */
  bytes: z.int().min(0),
  /** Keys of the chunk objects found missing or damaged: no later backup builds on them. */
  damaged: objectKeys,
  /** Keys of those that an earlier proof names as damaged, and that were read again and found good. */
  good: objectKeys,
  /** base64(age(zstd(JSON))) of the details, which may quote names and rows. */
  details: z.string().regex(/^[A-Za-z0-9+/]+={0,2}$/),
})

/** A newer version may add members. */
const detailsSchema = z.object({
  problems: z.array(z.string()),
  /** Of the programs that took part: lifeboat, pg_restore. */
  versions: z.record(z.string(), z.string()),
  /** URL of the workflow run. */
  run: z.string().nullable(),
  /** Of a drill that came to its end: the amount that was compared, the seconds that each part took, and where. */
  drill: z.object({
    entries: z.int().min(0),
    rows: z.int().min(0),
    bytes: z.int().min(0),
    /** Whether definitions were compared word for word, and the conditions of the user that were checked. Absent in older proofs. */
    wording: z.boolean().optional(),
    assertions: z.int().min(0).optional(),
    /** `download` and `restore` together are the time that a recovery takes. */
    seconds: z.object({ download: seconds, restore: seconds, compare: seconds, checks: seconds }),
    /** The machine: `linux x64, 4 CPUs, 16.8 GB of memory`. */
    machine: z.string(),
  }).optional(),
  /** The Sigstore bundle by which the job attested the result. */
  attestation: z.record(z.string(), z.unknown()).optional(),
})

export type Proof = z.infer<typeof proofSchema>
export type ProofDetails = z.infer<typeof detailsSchema>
/** A verification, as its proof records it. */
export type Verification = Omit<Proof, 'format' | 'key' | 'time' | 'details' | 'good'> &
  ProofDetails & { time: Date; good?: readonly string[] }

const MOST_PROBLEMS = 20
const MOST_CHARACTERS = 500
/** Most damaged, and most good objects that a proof names. */
const MOST_NAMED = 20_000
const MOST_BYTES = 1024 * 1024
const PARALLEL = 16

/** The content of a proof's key, so that the proof need not be read; `damaged` and `good` are empty unless it was read. */
export type Verdict = Pick<Proof, 'snapshot' | 'set' | 'time' | 'level' | 'result' | 'damaged' | 'good'> & { object: string }

/** Whether it is no verification, but only names objects. */
export function isCarried({ level, result, damaged, good }: Pick<Proof, 'level' | 'result' | 'damaged' | 'good'>): boolean {
  return level === 'list' && result === 'could not verify' && damaged.length + good.length > 0
}

const RESULTS = { verified: 'verified', failed: 'failed', unknown: 'could not verify', unmet: 'conditions not met' } as const
const NAME = new RegExp(
  [
    String.raw`^proofs/(([^/]+)/(\d{8}T\d{6}Z-[0-9a-f]{8})\.((\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-[0-9a-f]{8})\.`,
    String.raw`(list|read|drill)-(verified|failed|unknown|unmet)(-chunks)?)\.([0-9a-f]{32})\.json$`,
  ].join(''),
)

interface ProofName {
  /** The part of the key that the tag authenticates. */
  name: string
  tag: string
  set: string
  snapshot: string
  /** The id of the proof. */
  proof: string
  time: string
  level: Proof['level']
  result: Proof['result']
  /** It names chunk objects, and has to be read for them. */
  chunks: boolean
}

/** Undefined if the key is not that of a proof. Nothing is authenticated yet. */
export function parseProofKey(key: string): ProofName | undefined {
  const match = NAME.exec(key)
  if (!match) return undefined
  const [, name = '', set = '', snapshot = '', proof = '', year, month, day, hour, minute, second, level, result, chunks, tag = ''] = match
  const time = `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the expression has no others
  const found = { level: level as Proof['level'], result: RESULTS[result as keyof typeof RESULTS] }
  return { name, tag, set, snapshot, proof, time, ...found, chunks: chunks !== undefined }
}

/** Whether the name of a proof is authentic. */
export function isOfKeys(key: string, keys: Keys): boolean {
  const told = parseProofKey(key)
  return told !== undefined && isTagged(told.name, told.tag, keys, 'verdict')
}

/** `proof`: its id. */
function keyOfProof(
  { set, snapshot, level, result, damaged, good }: Pick<Proof, 'set' | 'snapshot' | 'level' | 'result' | 'damaged' | 'good'>,
  proof: string,
  keys: Keys,
): string {
  const told = Object.entries(RESULTS).find(([, value]) => value === result)![0]
  const name = `${set}/${snapshot}.${proof}.${level}-${told}${damaged.length + good.length > 0 ? '-chunks' : ''}`
  return `proofs/${name}.${tagOf(name, keys, 'verdict')}.json`
}

function shortened(text: string): string {
  return text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS - 1)}…` : text
}

/** A proof that only names objects. */
export const NO_VERIFICATION = {
  level: 'list', result: 'could not verify', seconds: 0, bytes: 0, versions: {}, run: null,
} as const satisfies Partial<Verification>

/**
 * Stores the proof of a verification; it exists once the store has committed. Returns its key. It names as many objects as one can: see
 * `writeProofs`.
 */
export async function writeProof(store: Store, keys: Keys, verification: Verification): Promise<string> {
  const { snapshot, set, time, level, result, seconds, bytes, damaged, good = [] } = verification
  const { problems, versions, run, drill, attestation } = verification
  const details: ProofDetails = {
    problems: problems.slice(0, MOST_PROBLEMS).map((problem) => shortened(unmarked(problem))), versions, run,
    ...(drill && { drill }), ...(attestation && { attestation }),
  }
  const sealed = await encrypt(compress(Buffer.from(JSON.stringify(details)), 9), keys.recipients)
  const proof = proofSchema.parse({
    format: FORMAT, snapshot, set, time: time.toISOString(), key: keys.fingerprint, level, result, seconds, bytes,
    damaged: damaged.slice(0, MOST_NAMED), good: good.slice(0, MOST_NAMED), details: sealed.toString('base64'),
  })
  const key = keyOfProof(proof, orderedId(time), keys)
  await store.put(key, sign(JSON.stringify(proof), keys, 'proof'))
  return key
}

/** The same, with more proofs for the objects that one cannot name. */
export async function writeProofs(store: Store, keys: Keys, verification: Verification): Promise<string[]> {
  const { snapshot, set, time, damaged, good = [], problems } = verification
  const others: string[] = []
  for (let at = MOST_NAMED; at < Math.max(damaged.length, good.length); at += MOST_NAMED) {
    const named = { damaged: damaged.slice(at, at + MOST_NAMED), good: good.slice(at, at + MOST_NAMED) }
    others.push(await writeProof(store, keys, { ...NO_VERIFICATION, snapshot, set, time, problems, ...named }))
  }
  return [...others, await writeProof(store, keys, verification)]
}

/**
 * The same, unless the snapshot was deleted meanwhile: a proof without a snapshot would say that the snapshot was lost. Returns whether the
 * proofs were kept.
 */
export async function proveSnapshot(store: Store, keys: Keys, verification: Verification): Promise<boolean> {
  const proofs = await writeProofs(store, keys, verification)
  // Artifacts are never deleted one by one, and nothing of them is there before the commit.
  if (store.groups || (await isThere(store, snapshotKey(verification.set, verification.snapshot)))) return true
  for (const proof of proofs) await store.delete(proof)
  return false
}

/** A proof that is truncated, edited, moved, or of a newer form. */
class DamagedProof extends LifeboatError {
  constructor(message: string, cause: unknown) {
    super(message, { cause, hint: 'The snapshot itself is not affected. Verify it again.' })
    this.name = 'DamagedProof'
  }
}

export interface ProofOptions {
  /** Only of this set. */
  set?: string | undefined
  /** Only those of which this is true, by the ids of the snapshot and of the proof; both begin with a time (`20261120T020000Z`). */
  wanted?: (snapshot: string, proof: string) => boolean
  /** Told of each proof that is damaged or was edited, and is ignored. */
  onDamaged: (error: LifeboatError) => void
}

/** Keys of proofs by the id of the snapshot, newest first. */
export async function proofKeys(
  store: Store, { set, wanted = () => true }: Omit<ProofOptions, 'onDamaged'> = {},
): Promise<Map<string, string[]>> {
  const found: { key: string; snapshot: string; proof: string }[] = []
  for await (const { key } of store.list(set === undefined ? 'proofs/' : `proofs/${set}/`)) {
    const { snapshot, proof } = parseProofKey(key) ?? {}
    if (snapshot !== undefined && proof !== undefined && wanted(snapshot, proof)) found.push({ key, snapshot, proof })
  }
  found.sort((a, b) => (a.proof < b.proof ? 1 : -1))
  return new Map([...Map.groupBy(found, ({ snapshot }) => snapshot)].map(([snapshot, those]) => [snapshot, those.map(({ key }) => key)]))
}

/**
 * The verdicts of proofs, by the id of the snapshot, newest first, their MACs verified; those of another key are passed over. Without keys
 * nothing is authenticated: anyone may have written them.
 */
export async function readProofs(store: Store, keys: Keys | undefined, options: ProofOptions): Promise<Map<string, Verdict[]>> {
  const found = [...(await proofKeys(store, options))].flatMap(([snapshot, those]) => those.map((key) => ({ snapshot, key })))
  const proofs = await inParallel(found, PARALLEL, ({ key }) => verdictAt(store, key, keys, options.onDamaged))
  const read = new Map<string, Verdict[]>()
  for (const [index, proof] of proofs.entries()) {
    const { snapshot } = found[index]!
    if (proof) read.set(snapshot, [...(read.get(snapshot) ?? []), proof])
  }
  return read
}

/**
 * The verdict on a snapshot: of its proofs, newest first, the first with a result. "Could not verify" does not count. A proof that says
 * failed stands until the same level, or a higher one, succeeds: reading every byte does not disprove that a restore failed.
 */
export function verdictOf(proofs: readonly Verdict[]): Verdict | undefined {
  const search = new VerdictSearch()
  return proofs.find((proof) => search.endsWith(proof)) ?? search.newest
}

/** The same from the keys of proofs; reads only as many as needed. */
export async function readVerdict(
  proofs: readonly string[], read: (key: string) => Promise<Verdict | undefined>,
): Promise<Verdict | undefined> {
  const search = new VerdictSearch()
  for (const key of proofs) {
    const told = parseProofKey(key)
    if (told && !search.matters(told)) continue
    const proof = await read(key)
    if (proof && search.endsWith(proof)) return proof
  }
  return search.newest
}

/** Goes through the proofs of a snapshot, newest first. */
class VerdictSearch {
  newest: Verdict | undefined
  /** Of the proofs so far that say good. */
  #highest: Proof['level'] | undefined

  /** Whether older proofs like this can still decide. */
  matters({ level, result }: Pick<Proof, 'level' | 'result'>): boolean {
    return result !== 'could not verify' && (this.#highest === undefined || !isAtLeast(this.#highest, level))
  }

  /** Whether this proof is the verdict. */
  endsWith(proof: Verdict): boolean {
    if (!this.matters(proof)) return false
    if (proof.result === 'failed') return true
    this.newest ??= proof
    this.#highest = proof.level
    return false
  }
}

/** Whether a verification found the backup good, whatever was expected of its data. */
export function isGood({ result }: Pick<Proof, 'result'>): boolean {
  return result === 'verified' || result === 'conditions not met'
}

/**
 * The verdict of one proof, which a listing has shown. Its key is enough, unless it names chunk objects: then it is read. A proof whose key
 * does not authenticate is read as well, to find the reason. Undefined as for `readProof`.
 */
export async function verdictAt(
  store: Store, key: string, keys: Keys | undefined, onDamaged: ProofOptions['onDamaged'],
): Promise<Verdict | undefined> {
  const told = parseProofKey(key)
  if (!told || told.chunks || (keys && !isTagged(told.name, told.tag, keys, 'verdict'))) {
    const read = await readProof(store, key, keys, onDamaged)
    return read && { ...read, object: key }
  }
  const { set, snapshot, time, level, result } = told
  return { set, snapshot, time, level, result, damaged: [], good: [], object: key }
}

/** One proof; undefined if it is missing, of another key, or invalid, which `onDamaged` is told. */
export async function readProof(
  store: Store, key: string, keys: Keys | undefined, onDamaged: ProofOptions['onDamaged'],
): Promise<Proof | undefined> {
  const found = await proofAt(store, key, keys, onDamaged)
  return found === 'of another key' ? undefined : found
}

/** The same. A proof that claims to be of a key that is not among these is told apart: its MAC cannot be checked. */
export async function proofAt(
  store: Store, key: string, keys: Keys | undefined, onDamaged: ProofOptions['onDamaged'],
): Promise<Proof | 'of another key' | undefined> {
  try {
    return decodeProof(key, await store.get(key, LIMITS.proof), keys)
  } catch (error) {
    // A prune deletes the proofs of a snapshot with it.
    if (error instanceof NotFound) return undefined
    if (!(error instanceof DamagedProof || error instanceof DamagedObject)) throw error
    onDamaged(error)
    return undefined
  }
}

/** The sealed details of a proof: why the result was found. Needs an identity. */
export async function proofDetails(proof: Proof, keys: Keys): Promise<ProofDetails> {
  const own = [keys, ...keys.others].find(({ fingerprint }) => fingerprint === proof.key)
  try {
    if (!own?.identity) throw new Error('it is sealed to another key')
    return detailsSchema.parse(
      parsedJson(await decompressUpTo(await decrypt(Buffer.from(proof.details, 'base64'), own.identity), MOST_BYTES)),
    )
  } catch (cause) {
    throw new DamagedProof(
      `the details of the proof of snapshot ${proof.snapshot} of ${proof.time} cannot be read: ${messageOf(cause)}`, cause,
    )
  }
}

/** The same; undefined if the key cannot decrypt them, or if they cannot be read, which `onDamaged` is told. */
export async function readableDetails(proof: Proof, keys: Keys, onDamaged: ProofOptions['onDamaged']): Promise<ProofDetails | undefined> {
  if ([keys, ...keys.others].find(({ fingerprint }) => fingerprint === proof.key)?.identity === undefined) return undefined
  try {
    return await proofDetails(proof, keys)
  } catch (error) {
    if (!(error instanceof DamagedProof)) throw error
    onDamaged(error)
    return undefined
  }
}

function decodeProof(key: string, object: Buffer, keys: Keys | undefined): Proof | 'of another key' {
  const damaged = (what: string, cause?: unknown) => new DamagedProof(`${key} is ignored: ${what}`, cause)
  const signed = splitSigned(object)
  if (!signed) throw damaged('it does not begin with the line of a signed object')
  if (keys && isOfAnotherKey(signed, keys)) return 'of another key'
  const signer = keys && signerOf(signed, keys, 'proof')
  if (keys && !signer) throw damaged('its signature (MAC) does not verify')
  const parsed = proofSchema.safeParse(parsedJson(signed.body))
  if (!parsed.success) throw damaged('it is malformed, or of a newer version', parsed.error)
  const proof = parsed.data
  if (proof.key !== signed.key) throw damaged(`its first line names the key ${signed.key}, the proof another`)
  const { proof: id = '', set, snapshot } = parseProofKey(key) ?? {}
  const isItsOwn = signer ? keyOfProof(proof, id, signer) === key : set === proof.set && snapshot === proof.snapshot
  if (!isItsOwn || !id.startsWith(idTime(new Date(proof.time))))
    throw damaged(`it is of snapshot ${proof.snapshot} of set ${proof.set}, moved here`)
  return proof
}
