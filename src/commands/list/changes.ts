import { sourceSize } from '../../repository/snapshot.ts'
import { sizesOf } from '../../sources/growth.ts'
import type { Sized, SizedSource } from '../../sources/source-kind.ts'
import type { ListedChanges } from './result.ts'

type Change = ListedChanges['items'][number]

/** The sizes of a source: of its tables as well, where the facts of the snapshot were read. */
interface Content {
  source: string
  bytes: number
  tables: readonly Sized[]
}

/** A snapshot whose content is remembered. */
interface Noted {
  time: Date
  content: readonly Content[]
}

const DAY = 86_400_000
/** The earlier snapshot is that whose age comes closest to this. */
const BEFORE_MS = 30 * DAY
/** As many changes as anyone reads. */
const MOST = 10

/** The changes in size of each set. Keeps the content of two snapshots of each, whichever order they come in. */
export class SetChanges {
  readonly #now: Date
  readonly #newest = new Map<string, Noted>()
  readonly #earlier = new Map<string, Noted>()

  constructor(now: Date) {
    this.#now = now
  }

  /** Looks at the content of a snapshot. */
  note({ set, time }: { set: string; time: string }, sources: readonly SizedSource[]): void {
    const noted = new Lazy(new Date(time), sources)
    const newest = this.#newest.get(set)
    if (newest === undefined) return void this.#newest.set(set, noted.kept())
    const isNewer = noted.time > newest.time
    this.#noteEarlier(set, isNewer ? newest : noted)
    if (isNewer) this.#newest.set(set, noted.kept())
  }

  #noteEarlier(set: string, candidate: Noted | Lazy): void {
    const distance = ({ time }: { time: Date }): number => Math.abs(this.#now.getTime() - BEFORE_MS - time.getTime())
    const best = this.#earlier.get(set)
    if (best && distance(best) <= distance(candidate)) return
    this.#earlier.set(set, candidate instanceof Lazy ? candidate.kept() : candidate)
  }

  /** Of the sets of which there are two snapshots. */
  found(): ListedChanges[] {
    return [...this.#newest].flatMap(([set, now]) => {
      const before = this.#earlier.get(set)
      return before ? [compared(set, before, now)] : []
    }).toSorted((a, b) => a.set.localeCompare(b.set))
  }
}

/** Its sizes are read from the facts only if they are kept. */
class Lazy {
  readonly time: Date
  readonly #sources: readonly SizedSource[]

  constructor(time: Date, sources: readonly SizedSource[]) {
    this.time = time
    this.#sources = sources
  }

  kept(): Noted {
    return {
      time: this.time,
      content: this.#sources.map((source) => ({
        source: source.name, bytes: sourceSize(source), tables: sizesOf(source).filter(({ table }) => table !== undefined),
      })),
    }
  }
}

function compared(set: string, before: Noted, now: Noted): ListedChanges {
  const names = [...new Set([...now.content, ...before.content].map(({ source }) => source))]
  const find = ({ content }: Noted, name: string): Content | undefined => content.find(({ source }) => source === name)
  const all = names.flatMap((name) => changesOf(find(before, name), find(now, name)))
  return {
    set, from: before.time.toISOString(), to: now.time.toISOString(), compared: all.length,
    items: all.filter((change) => difference(change) > 0 || rowsBetween(change) > 0)
      .toSorted((a, b) => difference(b) - difference(a) || rowsBetween(b) - rowsBetween(a)).slice(0, MOST),
  }
}

function difference({ before, now }: Change): number {
  return Math.abs((now ?? 0) - (before ?? 0))
}

/** A table whose rows were deleted keeps its size on the server until it is vacuumed. */
function rowsBetween({ rows }: Change): number {
  return rows ? Math.abs(rows.now - rows.before) : 0
}

/** Of the tables of a source, or of the source if those of one of the two snapshots are not known. At least one is there. */
function changesOf(before: Content | undefined, now: Content | undefined): Change[] {
  const { source } = (now ?? before)!
  if (!before || !now || before.tables.length === 0 || now.tables.length === 0)
    return [{ source, before: before?.bytes ?? null, now: now?.bytes ?? null }]
  const old = new Map(before.tables.map((table) => [table.table!, table]))
  const there = new Map(now.tables.map((table) => [table.table!, table]))
  return [...new Set([...there.keys(), ...old.keys()])].map((table) => {
    const [was, is] = [old.get(table), there.get(table)]
    // Estimates of the server are only compared with estimates.
    const counted = (was ?? is)!.archived && (is ?? was)!.archived
    const bytesOf = (one: Sized | undefined): number | null => (counted ? one?.archived : one)?.bytes ?? null
    const rows = was?.archived && is?.archived && { rows: { before: was.archived.rows, now: is.archived.rows } }
    return { source, table, before: bytesOf(was), now: bytesOf(is), ...rows }
  })
}
