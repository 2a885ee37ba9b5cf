import { z } from 'zod'
import { change, identifier, literal, queryJson, type QueryContext } from '../query.ts'
import { batches } from './roles.ts'

const owners = z.array(z.tuple([z.string(), z.string()]))

/**
 * Gives tables of superusers to the maker while it makes children and partitions of them, which only their owner may do, and back again.
 * The other way, a superuser that attaches the partitions, would evaluate expressions of their owners. Materialized views of superusers
 * are given to it while it fills them: the views and functions that they use may be of other owners, who can replace them at any time.
 */
export class Lending {
  readonly #maker: string
  readonly #database: QueryContext
  #waiting: readonly string[]
  readonly #lent = new Map<string, string>()
  readonly #fills = new Set<string>()

  /** `parents`: their qualified names, in SQL. */
  constructor(maker: string, parents: readonly string[], database: QueryContext) {
    this.#maker = maker
    this.#waiting = parents
    this.#database = database
  }

  /** Those that exist by now. */
  async lend(): Promise<void> {
    const found: string[] = []
    for (const some of batches(this.#waiting)) {
      const owned = new Map(await queryJson(ofSuperusers(some), owners, this.#database))
      for (const table of some) {
        const owner = owned.get(table)
        if (owner === undefined) continue
        found.push(table)
        this.#lent.set(table, owner)
      }
    }
    this.#waiting = this.#waiting.filter((table) => !this.#lent.has(table))
    await this.#give(found.map((table) => [table, this.#maker]))
  }

  /** The materialized views of all superusers. */
  async lendViews(): Promise<void> {
    const found = await queryJson(VIEWS, owners, this.#database)
    for (const [view, owner] of found) {
      this.#lent.set(view, owner)
      this.#fills.add(owner)
    }
    await this.#give(found.map(([view]) => [view, this.#maker]))
  }

  /** Whether the maker has the materialized views of this owner. */
  fills(owner: string): boolean {
    return this.#fills.has(owner)
  }

  async giveBack(): Promise<void> {
    await this.#give([...this.#lent])
    this.#lent.clear()
  }

  async #give(pairs: readonly (readonly [table: string, owner: string])[]): Promise<void> {
    const statements = pairs.map(([table, owner]) => `ALTER TABLE ${table} OWNER TO ${identifier(owner)}`)
    for (const some of batches(statements)) await change(some, this.#database)
  }
}

/** Not the tables of the server itself, whose oids are below 16384. */
function ofSuperusers(names: readonly string[]): string {
  return `SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(name, r.rolname)), '[]')
FROM pg_catalog.unnest(ARRAY[${names.map(literal).join(', ')}]::pg_catalog.text[]) name
JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(name) JOIN pg_catalog.pg_roles r ON r.oid = c.relowner
WHERE r.rolsuper AND c.oid >= 16384 AND c.relkind = ANY ('{r,p,f}')`
}

const VIEWS = `SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(name, r.rolname)), '[]')
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_roles r ON r.oid = c.relowner
CROSS JOIN pg_catalog.format('%I.%I', n.nspname, c.relname) name
WHERE r.rolsuper AND c.oid >= 16384 AND c.relkind = 'm'`
