import type { SourceRecord, StreamRecord } from '../../repository/snapshot.ts'
import type { SourceStream } from '../source.ts'
import { type VolumeFacts, volumeFacts } from './facts.ts'
import { LifeboatError } from '../../error.ts'
import { encodeFile, Lines, type ListedFile, shownName } from './file-list.ts'
import { MemberOrder } from './member-order.ts'
import type { CollectedSizes, MemberSizes } from './member-sizes.ts'
import type { Segment } from './segments.ts'
import { inTurns } from './sorted-texts.ts'

/**
 * The streams of a volume while it is read: a tar in segments `<name>.00001.tar`…, then `<name>.list`, which lists their members. The facts
 * of the volume count them.
 */
export class ArchiveStreams {
  readonly #name: string
  readonly #facts: VolumeFacts
  readonly #known: ReadonlyMap<string, KnownSegment>
  readonly #list = new Lines()
  readonly #order = new MemberOrder()

  /** `before`: the snapshot before, if unchanged segments are to be taken from it. */
  constructor(name: string, facts: VolumeFacts, before: SourceRecord | undefined) {
    this.#name = name
    this.#facts = facts
    this.#known = knownSegments(before)
  }

  /** The stream of the next segment, without its bytes; `same`: if the snapshot before has it. */
  next(digest = ''): Omit<SourceStream, 'bytes'> {
    const name = `${this.#name}.${String(this.#facts.segments.length + 1).padStart(5, '0')}.tar`
    const same = this.#known.get(digest)
    return { name, format: 'tar', longMatches: true, ...(same && { same: same.stream }) }
  }

  /**
   * The members of the segment that was read, and their sizes; without these, it was taken from the snapshot before. An empty digest: the
   * next backup has to read it again.
   */
  async add(members: Iterable<ListedFile>, digest: Segment['digest'], collected?: CollectedSizes): Promise<void> {
    let entries = 0
    await inTurns(members, (member) => {
      this.#require(member)
      this.#list.add(encodeFile(member))
      entries++
      if (member.type === 'f') this.#facts.files++
      this.#facts.bytes += member.size
    })
    this.#facts.entries += entries
    const sizes = collected ? collected.recorded : this.#known.get(digest)?.sizes
    this.#facts.segments.push({ entries, digest, ...(sizes && { sizes }) })
  }

  /** Throws for a member with which no restore would go on, whatever has moved things while they were read. */
  #require({ path, type, target }: ListedFile): void {
    const why = this.#order.refusal({ path, isDirectory: type === 'd', ...(type === 'h' && { link: { target, name: target } }) })
    if (why === undefined) return
    throw new LifeboatError(`${this.#name} cannot be backed up: its archive would have ${shownName(path)}, ${why}`, {
      hint: 'Folders are moved or exchanged there at this moment: back up again. If it stays, please report it: it is a fault of Lifeboat.',
    })
  }

  /** After all segments. */
  list(): SourceStream {
    return { name: `${this.#name}.list`, format: 'tar-list', bytes: this.#list.bytes() }
  }
}

interface KnownSegment {
  stream: StreamRecord
  sizes: MemberSizes | undefined
}

/** The segments of the snapshot before, by their digests. */
function knownSegments(before: SourceRecord | undefined): Map<string, KnownSegment> {
  const facts = volumeFacts.safeParse(before?.facts).data
  const archives = before?.streams.filter(({ format }) => format === 'tar') ?? []
  const known = new Map<string, KnownSegment>()
  if (facts?.segments.length !== archives.length) return known
  for (const [index, { digest, sizes }] of facts.segments.entries())
    if (digest !== '') known.set(digest, { stream: archives[index]!, sizes })
  return known
}
