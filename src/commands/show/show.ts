import { kindIfKnown } from '../../sources/known-kinds.ts'
import { confirmedBy } from '../../sources/nouns.ts'
import { remarksOf } from '../../sources/remarks.ts'
import type { ShownFile } from '../../sources/files/shown-file.ts'
import type { Environment } from '../../environment.ts'
import type { LifeboatError } from '../../error.ts'
import { warningOf } from '../../report/warnings.ts'
import { passOverMissing, withChosen } from '../../repository/catalog.ts'
import type { Keys } from '../../repository/keys.ts'
import { tagsOf } from '../../repository/labels.ts'
import { isCarried, type Proof, readableDetails, readProof, type Verdict } from '../../repository/proofs.ts'
import { type AuthenticSnapshot, markOf, openManifest, type Snapshot, sourceSize, type SourceRecord } from '../../repository/snapshot.ts'
import { decodeAuthentic, decodeVisible, type Surveyed } from '../../repository/survey.ts'
import type { Store } from '../../stores/store.ts'
import { whyNotWhole } from '../../repository/wholeness.ts'
import { expiries, pinOf, standing, sumsOf, visiblePart, warnOfLabels, whatIsKnown } from '../list/facts.ts'
import { recordingDamage } from '../recording-damage.ts'
import { lookingAs, setFor, withStore } from '../with-store.ts'
import type { ShowInputs } from './inputs.ts'
import type { ShownSource, ShowResult } from './result.ts'

/** Everything known of one snapshot: what anyone can read, and with a key that can decrypt the rest. */
export function show(inputs: ShowInputs, environment: Environment): Promise<ShowResult> {
  const { snapshot: choice, set, files } = inputs
  return withStore({ ...inputs, set: setFor(set, choice) }, environment, async (store, keys) => {
    // By its id, also one of another key is shown; `latest` is the newest of this one.
    const decode = (key: string, object: Buffer): Promise<Surveyed> =>
      choice.kind === 'id' || !keys ? decodeVisible(key, object, keys) : decodeAuthentic(key, object, keys)
    const looking = lookingAs(environment)
    const { snapshot, authentic } = await withChosen(store, set, choice, decode, looking)
    if (keys) await passOverMissing(store, keys, choice, snapshot.key, looking)
    const { id, set: own } = snapshot.header
    const { labels, proofs, damaged } = await whatIsKnown(
      store,
      keys,
      { set: own, wanted: (other) => other === id, since: new Date(snapshot.header.time) },
      environment.report,
    )
    warnOfLabels({ id, authentic: authentic !== undefined }, labels, keys, environment.report)
    const loss = await whyNotWhole(store, snapshot, damaged)
    const visible = visiblePart(sumsOf(snapshot), await expiries(store))
    const found = proofs.get(id) ?? []
    return {
      store: store.name,
      listed: environment.now().toISOString(),
      ...visible,
      tags: tagsOf(visible, labels.get(id)),
      pinned: pinOf(labels.get(id), authentic !== undefined, keys),
      authentic: authentic !== undefined,
      ...(loss === undefined ? standing(snapshot, found, damaged) : { verified: false, damage: loss }),
      ...countsOf(snapshot),
      recipients: recipientsOf(snapshot),
      proofs: await shownProofs(found, store, keys, authentic, environment),
      ...(authentic?.keys.identity !== undefined && (await openedPart(authentic, environment, files ? store : undefined))),
    }
  })
}

/** `marks`: of earlier readings of the same backup, which only a key that can decrypt tells. */
function countsOf({ header: { id, chunks } }: Snapshot, marks: readonly string[] = []): Pick<ShowResult, 'newChunks' | 'deltaChunks'> {
  const own = new Set([markOf(id), ...marks])
  return {
    newChunks: chunks.filter(([, , , , mark]) => own.has(mark)).length,
    deltaChunks: chunks.filter(([, , , base]) => base !== null).length,
  }
}

/** An age file has a stanza, a line that begins with an arrow, for each recipient. */
function recipientsOf({ header }: Snapshot): number {
  const [head = ''] = Buffer.from(header.manifest, 'base64').toString('latin1').split('\n--- ', 1)
  return head.match(/^-> /gm)?.length ?? 0
}

async function shownProofs(
  found: readonly Verdict[],
  store: Store,
  keys: Keys | undefined,
  authentic: AuthenticSnapshot | undefined,
  { report }: Environment,
): Promise<ShowResult['proofs']> {
  const read = await Promise.all(found.map(({ object }) => readProof(store, object, keys, warningOf(report))))
  const own = read.filter((proof) => proof !== undefined).filter((proof) => !isCarried(proof))
  return Promise.all(own.map((proof) => shownProof(proof, authentic, warningOf(report))))
}

async function shownProof(
  proof: Proof,
  authentic: AuthenticSnapshot | undefined,
  onDamaged: (error: LifeboatError) => void,
): Promise<ShowResult['proofs'][number]> {
  const { level, result, time, seconds, bytes, damaged } = proof
  return {
    level,
    result,
    time,
    seconds,
    bytes,
    damaged,
    ...(authentic && (await readableDetails(proof, authentic.keys, onDamaged))),
  }
}

/** With a store the files of sources as well. */
async function openedPart(
  snapshot: AuthenticSnapshot,
  environment: Environment,
  store: Store | undefined,
): Promise<Pick<ShowResult, 'newChunks' | 'deltaChunks' | 'description' | 'run' | 'lifeboat' | 'sources'>> {
  const { description, run, lifeboat, sources, marks } = await openManifest(snapshot)
  const shown: ShownSource[] = []
  for (const source of sources) {
    const files = store ? await filesOf(source, snapshot, store, environment) : []
    shown.push({ ...shownSource(source), ...(files.length > 0 && { files }) })
  }
  return { ...countsOf(snapshot, marks), description, run, lifeboat, sources: shown }
}

function filesOf(source: SourceRecord, snapshot: AuthenticSnapshot, store: Store, environment: Environment): Promise<ShownFile[]> {
  return recordingDamage(snapshot, store, environment, async (newReader) => {
    const reader = newReader()
    const files: ShownFile[] = []
    for await (const file of kindIfKnown(source.kind)?.files?.({ source, read: (stream) => reader.stream(stream) }) ?? []) files.push(file)
    return files
  })
}

function shownSource(source: SourceRecord): ShownSource {
  const { name, kind } = source
  const streams = source.streams.map(({ chunks, ...stream }) => ({ ...stream, chunks: chunks.length }))
  return {
    name, kind, size: sourceSize(source), streams, ...confirmedBy(source), ...remarksOf(source), ...kindIfKnown(kind)?.describe(source),
  }
}
