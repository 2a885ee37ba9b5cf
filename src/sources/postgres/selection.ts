import { LifeboatError } from '../../error.ts'
import { nearest } from '../../nearest.ts'
import { oneLine } from '../../report/format.ts'
import { type Entry, isSetting } from './contents.ts'
import type { TableName } from './settings.ts'

export interface Filters {
  schemas: readonly string[]
  tables: readonly TableName[]
}

/** The part of an archive that belongs to the selected schemas and tables. */
export interface Selection {
  /** In the order in which they are restored: that of the archive, except for partitions of tables that are not selected. */
  entries: Entry[]
  /** Dependencies of the selected tables that the selection does not name. */
  added: Entry[]
  /** Dependencies that the target has already: it stays as it is there. */
  kept: Entry[]
  leftOut: LeftOutObject[]
}

export interface LeftOutObject {
  what: string
  why: string
}

export const RELATIONS: ReadonlySet<string> = new Set(['TABLE', 'FOREIGN TABLE', 'VIEW', 'MATERIALIZED VIEW', 'SEQUENCE'])
/** Entries named `TABLE NAME`, in the schema of their table. */
const NAMED_AFTER_TABLE = new Set(['DEFAULT', 'CONSTRAINT', 'CHECK CONSTRAINT', 'TRIGGER', 'RULE', 'POLICY'])
/** Entries with the name of their table. */
const NAMED_AS_TABLE = new Set(['TABLE DATA', 'MATERIALIZED VIEW DATA', 'ROW SECURITY', 'SEQUENCE SET'])
const OF_ANYTHING = new Set(['COMMENT', 'ACL', 'SECURITY LABEL', 'STATISTICS DATA'])
/** Entries that connect two objects, and need both. */
const LINKS = new Set([
  'FK CONSTRAINT',
  'TABLE ATTACH',
  'INDEX ATTACH',
  'SEQUENCE OWNED BY',
  'PUBLICATION TABLE',
  'PUBLICATION TABLES IN SCHEMA',
])
/** An existing schema or extension is never replaced. */
const SHARED = new Set(['SCHEMA', 'EXTENSION'])

/**
 * Computes what the filters select: named tables with all that belongs to them, and what these depend on, transitively. `present`: whether
 * the target has an object already that may stay; not called for named objects, except schemas and extensions.
 */
export function select(entries: readonly Entry[], filters: Filters, present: (entry: Entry) => boolean = () => false): Selection {
  return new Selecting(entries, present).run(filters)
}

class Selecting {
  readonly #entries: readonly Entry[]
  readonly #present: (entry: Entry) => boolean
  readonly #byId: Entry[] = []
  readonly #dependents: Dependents
  /** The parents of a partition. */
  readonly #parents = new Map<number, Set<number>>()
  readonly #chosen = new Set<Entry>()
  readonly #added = new Set<Entry>()
  readonly #kept = new Set<Entry>()
  readonly #queue: Entry[] = []

  constructor(entries: readonly Entry[], present: (entry: Entry) => boolean) {
    this.#entries = entries
    this.#present = present
    for (const entry of entries) this.#byId[entry.id] = entry
    for (const entry of entries) if (entry.kind === 'TABLE ATTACH') this.#notePartition(entry)
    this.#dependents = new Dependents(entries)
  }

  run(filters: Filters): Selection {
    for (const schema of filters.schemas) this.#chooseSchema(schema)
    for (const table of filters.tables) this.#chooseTable(table)
    for (let entry = this.#queue.pop(); entry !== undefined; entry = this.#queue.pop()) this.#expand(entry)
    const leftOut = this.#connect()
    return { entries: this.#inOrder(), added: [...this.#added], kept: [...this.#kept], leftOut }
  }

  /**
   * A partition is attached to a table that stays in the target once its indexes exist, which replace those that the server would make.
   * Otherwise the parent's indexes come after it.
   */
  #inOrder(): Entry[] {
    const entries = this.#entries.filter((entry) => this.#chosen.has(entry))
    const late = new Set(
      entries.filter(
        (entry) =>
          /^(TABLE|INDEX) ATTACH$/.test(entry.kind) && this.#endsOf(entry).some((end) => END_KINDS.has(end.kind) && !this.#chosen.has(end)),
      ),
    )
    return [...entries.filter((entry) => !late.has(entry)), ...late]
  }

  #notePartition({ schema, name, needs }: Entry): void {
    const tables = needs.map((id) => this.#byId[id]).filter((entry) => entry !== undefined)
    const partition = tables.find((table) => table.schema === schema && table.name === name)
    if (partition) this.#parents.set(partition.id, new Set(needs.filter((id) => id !== partition.id)))
  }

  #chooseSchema(schema: string): void {
    const found = this.#entries.filter(
      (entry) => (entry.schema === schema && !isSetting(entry)) || (entry.kind === 'SCHEMA' && entry.name === schema),
    )
    if (found.length === 0) throw nothing(`entries in schema ${schema}`)
    for (const entry of found) this.#include(entry)
  }

  #chooseTable(table: TableName): void {
    const matching = (test: (entry: Entry) => boolean): Entry[] => {
      const found = this.#entries.filter((entry) => RELATIONS.has(entry.kind) && test(entry))
      // An archive with only data has no tables.
      return found.length > 0 ? found : this.#entries.filter((entry) => entry.kind === 'TABLE DATA' && test(entry))
    }
    const exact = typeof table === 'string'
      ? matching(({ schema, name }) => `${schema}.${name}` === table)
      : matching(({ schema, name }) => schema === table[0] && name === table[1])
    const found = exact.length === 0 && typeof table === 'string' ? matching(({ name }) => name === table) : exact
    if (found.length === 0) throw this.#noTable(typeof table === 'string' ? table : table.join('.'))
    for (const entry of found) this.#include(entry)
  }

  #noTable(table: string): LifeboatError {
    const there = this.#entries.filter(({ kind }) => RELATIONS.has(kind))
    const names = there.flatMap(({ schema, name }) => [name, `${schema}.${name}`])
    return nothing(`table ${table}`, nearest(table, [...new Set(names)]))
  }

  #include(entry: Entry): void {
    if (this.#chosen.has(entry) || LINKS.has(entry.kind)) return
    if (SHARED.has(entry.kind) && this.#present(entry)) {
      this.#kept.add(entry)
      return
    }
    this.#chosen.add(entry)
    this.#added.delete(entry)
    this.#queue.push(entry)
  }

  #expand(entry: Entry): void {
    for (const id of entry.needs) {
      const need = this.#byId[id]
      if (need && !this.#chosen.has(need) && this.#mustExist(entry, need)) this.#addNeeded(need)
    }
    for (const other of this.#dependents.of(entry)) if (!this.#chosen.has(other) && this.#belongs(other, entry)) this.#include(other)
  }

  #addNeeded(need: Entry): void {
    if (this.#present(need)) {
      this.#kept.add(need)
      return
    }
    this.#include(need)
    this.#added.add(need)
  }

  /** A partition is made as a table of its own, and its indexes as indexes of their own; parts of a table come with that table. */
  #mustExist(entry: Entry, need: Entry): boolean {
    // Such a sequence is created separately, and another entry lets a table own it. That of an identity column is made by ALTER TABLE.
    if (entry.kind === 'SEQUENCE' && need.kind === 'TABLE' && this.#dependents.of(entry).some(({ kind }) => kind === 'SEQUENCE OWNED BY'))
      return false
    if (OF_ANYTHING.has(entry.kind) || this.#parents.get(entry.id)?.has(need.id)) return false
    return (
      !OF_ANYTHING.has(need.kind) &&
      !NAMED_AFTER_TABLE.has(need.kind) &&
      !NAMED_AS_TABLE.has(need.kind) &&
      !LINKS.has(need.kind) &&
      need.kind !== 'INDEX' &&
      need.kind !== 'STATISTICS'
    )
  }

  #belongs(entry: Entry, to: Entry): boolean {
    const { kind, schema, name } = entry
    if (OF_ANYTHING.has(kind)) return true
    if (!RELATIONS.has(to.kind)) return false
    if (NAMED_AFTER_TABLE.has(kind)) return schema === to.schema && name.startsWith(`${to.name} `)
    if (NAMED_AS_TABLE.has(kind)) return schema === to.schema && name === to.name
    if (kind === 'INDEX' || kind === 'STATISTICS') return true
    if (kind === 'SEQUENCE') return to.kind === 'TABLE'
    return (kind === 'TABLE' || kind === 'FOREIGN TABLE') && (entry.inherits || this.#parents.get(entry.id)?.has(to.id) === true)
  }

  /** Adds the links with both ends, and gives the links that miss one, and views on the selected tables. */
  #connect(): LeftOutObject[] {
    const leftOut: LeftOutObject[] = []
    const there = (entry: Entry): boolean => this.#chosen.has(entry) || this.#present(entry)
    for (const entry of this.#entries) {
      if (this.#chosen.has(entry)) continue
      const ends = this.#endsOf(entry)
      if (LINKS.has(entry.kind)) {
        const own = ends.find((end) => this.#chosen.has(end) && isEnd(entry, end))
        if (!own) continue
        const missing = ends.find((end) => END_KINDS.has(end.kind) && !there(end))
        if (missing === undefined) this.#link(entry)
        else if (entry.kind !== 'INDEX ATTACH' && entry.kind !== 'SEQUENCE OWNED BY')
          leftOut.push({ what: linkText(entry), why: `${nameOf(missing)} is not selected` })
      } else if (entry.kind.endsWith('VIEW')) {
        const table = ends.find((end) => this.#chosen.has(end) && RELATIONS.has(end.kind))
        if (table) leftOut.push({ what: nameOf(entry), why: `it reads ${nameOf(table)}, and is not selected` })
      }
    }
    return leftOut
  }

  #endsOf(entry: Entry): Entry[] {
    const needs = entry.needs.map((id) => this.#byId[id]).filter((need) => need !== undefined)
    return entry.kind === 'SEQUENCE OWNED BY' ? [...needs, ...needs.flatMap((sequence) => this.#endsOf(sequence))] : needs
  }

  #link(entry: Entry): void {
    this.#chosen.add(entry)
    for (const other of this.#dependents.of(entry)) if (OF_ANYTHING.has(other.kind)) this.#chosen.add(other)
  }
}

/** The direct dependents of an entry: two lists of numbers, because there may be hundreds of thousands of entries. */
class Dependents {
  readonly #entries: readonly Entry[]
  /** For each id, the position of its first dependent in the list. */
  readonly #begins: Uint32Array
  /** Positions in the list of entries. */
  readonly #places: Uint32Array

  constructor(entries: readonly Entry[]) {
    this.#entries = entries
    const most = entries.reduce((most, { id }) => Math.max(most, id), 0)
    const begins = new Uint32Array(most + 2)
    const known = (entry: Entry): number[] => [...new Set(entry.needs)].filter((id) => id <= most)
    for (const entry of entries) for (const id of known(entry)) begins[id + 1]!++
    for (let id = 0; id <= most; id++) begins[id + 1]! += begins[id]!
    this.#places = new Uint32Array(begins[most + 1]!)
    const next = begins.slice()
    for (const [place, entry] of entries.entries()) for (const id of known(entry)) this.#places[next[id]!++] = place
    this.#begins = begins
  }

  of({ id }: Entry): Entry[] {
    return Array.from(this.#places.subarray(this.#begins[id], this.#begins[id + 1]), (place) => this.#entries[place]!)
  }
}

const END_KINDS = new Set(['TABLE', 'FOREIGN TABLE', 'PUBLICATION', 'SCHEMA'])

/** Whether a link belongs to this end: a foreign key belongs to the table that has it. */
function isEnd({ kind, schema, name }: Entry, end: Entry): boolean {
  if (kind === 'FK CONSTRAINT') return end.schema === schema && name.startsWith(`${end.name} `)
  if (kind === 'TABLE ATTACH' || kind === 'SEQUENCE OWNED BY') return end.schema === schema && name === end.name
  return END_KINDS.has(end.kind)
}

/**
 * Constraints and indexes of partitions and partitioned tables: pg_restore --clean fails to drop them one by one (`cannot drop inherited
 * constraint`), and they go with their table.
 */
export function droppedWithTable(entries: readonly Entry[]): Set<number> {
  const tables = new Set(entries.flatMap(({ kind, needs }) => (kind === 'TABLE ATTACH' ? needs : [])))
  return new Set(
    entries
      .filter(({ kind, needs }) => (kind === 'CONSTRAINT' || kind === 'INDEX') && needs.some((id) => tables.has(id)))
      .map(({ id }) => id),
  )
}

/**
 * Throws (status 2) if rows of these entries are loaded through a partitioned table that is not among them: pg_dump writes rows so for hash
 * partitions by an enum, and with --load-via-partition-root. `all`: of the archive.
 */
export function requireRoots(entries: readonly Entry[], all: readonly Entry[]): void {
  const through = entries.filter(({ throughRoot }) => throughRoot)
  if (through.length === 0) return
  const byId = new Map(all.map((entry) => [entry.id, entry]))
  const parents = new Map(all.filter(({ kind }) => kind === 'TABLE ATTACH').map((attach) => {
    const tables = attach.needs.flatMap((id) => byId.get(id) ?? [])
    return [tableOf(attach), tables.find((table) => table.kind === 'TABLE' && tableOf(table) !== tableOf(attach))]
  }))
  const chosen = new Set(entries)
  for (const entry of through) {
    let root = parents.get(tableOf(entry))
    for (let next = root; next; next = parents.get(tableOf(next))) root = next
    if (!root || chosen.has(root)) continue
    throw new LifeboatError(`rows of ${tableOf(entry)} are loaded through ${tableOf(root)}, which is not selected`, {
      hint: `Select ${tableOf(root)}: its partitions come with it.`, status: 2 })
  }
}

function tableOf({ schema, name }: Entry): string {
  return `${schema}.${name}`
}

function linkText(entry: Entry): string {
  const { kind, schema, name } = entry
  if (kind === 'FK CONSTRAINT') return `foreign key ${schema}.${name}`
  if (kind === 'TABLE ATTACH') return `${schema}.${name} as a partition`
  return `${kind.toLowerCase()} ${name}`
}

/** `table app.orders`. */
export function nameOf({ kind, schema, name }: Pick<Entry, 'kind' | 'schema' | 'name'>): string {
  return `${kind.toLowerCase()} ${schema === '' ? '' : `${schema}.`}${name}`
}

function nothing(what: string, near?: string): LifeboatError {
  return new LifeboatError(`the archive has no ${what}${near === undefined ? '' : `; did you mean ${oneLine(near)}?`}`, {
    hint: 'Names are case-sensitive, without quotation marks: public.orders. A name with a comma needs JSON: ["a, b", ["schema", "name"]].',
    status: 2,
  })
}
