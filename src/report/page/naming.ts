import { isSafetySet, safetySetOf } from '../../repository/safety-set.ts'
import type { PageFacts, PageSnapshot } from './facts.ts'

/** The texts that the page shows in place of names and texts from outside. */
export interface Naming {
  readonly set: (name: string) => string
  readonly store: (name: string) => string
  readonly destination: (text: string) => string
  readonly source: (name: string, database?: boolean) => string
  readonly table: (name: string) => string
  readonly snapshot: (id: string) => string
  /** Sentences and labels of others: undefined leaves them out. */
  readonly text: (text: string) => string | undefined
  /** `owner/repository` of the action, and what follows `@`. */
  readonly action: (text: string) => string
  readonly url: (url: string) => string | null
}

/** Shown where a text is left out. */
const LEFT_OUT = 'details are left out here'

/** The same facts with every name and every text from outside replaced. Figures and times stay. */
export function withNames(facts: PageFacts, naming: Naming): PageFacts {
  const { set, store, destination, source, table, snapshot, text, action } = naming
  const run = facts.run && {
    ...facts.run, message: text(facts.run.message) ?? `The ${facts.run.command} did not end well; ${LEFT_OUT}.`,
    problems: facts.run.problems.flatMap((problem) => text(problem) ?? []), advice: facts.run.advice.flatMap((one) => text(one) ?? []),
  }
  const warnings = facts.warnings.flatMap((warning) => text(warning) ?? [])
  const unsaid = facts.warnings.length - warnings.length
  return {
    ...facts, store: store(facts.store), destination: destination(facts.destination),
    action: action(facts.action), reference: action(facts.reference),
    snapshots: facts.snapshots.map((one) => snapshotNamed(one, naming)),
    ...(facts.restorable !== undefined && { restorable: snapshot(facts.restorable) }),
    changes: facts.changes.map((change) => ({
      ...change, set: set(change.set),
      items: change.items.map((item) => ({
        ...item, source: source(item.source), ...(item.table !== undefined && { table: table(item.table) }),
      })),
    })),
    leaving: facts.leaving.map((loss) => ({
      ...loss, set: set(loss.set), source: source(loss.source), table: table(loss.table), snapshot: snapshot(loss.snapshot),
    })),
    ...(run && { run }),
    warnings: [...warnings, ...(unsaid > 0 ? [`${unsaid === 1 ? 'A warning' : `${unsaid} warnings`}; ${LEFT_OUT}.`] : [])],
    copies: facts.copies.map((copy) => ({
      ...copy, store: store(copy.store), ...(copy.problem !== undefined && { problem: text(copy.problem) ?? LEFT_OUT }),
    })),
  }
}

function snapshotNamed(one: PageSnapshot, { set, source, snapshot, text, url }: Naming): PageSnapshot {
  return {
    ...one, id: snapshot(one.id), set: set(one.set), tags: one.tags.flatMap((tag) => text(tag) ?? []),
    ...(one.damage !== undefined && { damage: text(one.damage) ?? LEFT_OUT }),
    ...(one.description !== undefined && { description: text(one.description) ?? '' }),
    ...(one.run && { run: url(one.run) }),
    ...(one.sources && { sources: one.sources.map((own) => ({
      ...own, name: source(own.name, own.database), ...(own.confirm !== undefined && { confirm: source(own.confirm, own.database) }),
      ...(own.partial && { partial: own.partial.map((part) => text(part) ?? LEFT_OUT) }),
    })) }),
  }
}

/** Every text without the secrets that logs hide as well. */
export function hiding(apply: (text: string) => string): Naming {
  return {
    set: apply, store: apply, destination: apply, source: (name) => apply(name), table: apply, snapshot: (id) => id, text: apply,
    action: apply, url: apply,
  }
}

/**
 * Neutral names: `set 1`, `database 2`. The oldest set is the first, so that a new one changes no number. Of an id the minute is left,
 * which is on the page anyhow, and with which the owner finds the snapshot.
 */
export function neutral({ snapshots }: PageFacts): Naming {
  const numbers = new Map<string, string>()
  const kinds = new Map<string, number>()
  const numbered = (noun: string, name: string, as = noun): string => {
    const key = JSON.stringify([noun, name])
    if (!numbers.has(key)) {
      kinds.set(as, (kinds.get(as) ?? 0) + 1)
      numbers.set(key, `${as} ${kinds.get(as)!}`)
    }
    return numbers.get(key)!
  }
  const naming: Naming = {
    set: (name) => (isSafetySet(name) ? safetySetOf(numbered('set', name, 'safety set')) : numbered('set', name)),
    source: (name, database) => numbered('source', name, database === undefined ? 'source' : database ? 'database' : 'volume'),
    store: (name) => numbered('store', name), destination: () => 'STORE', table: (name) => numbered('table', name),
    snapshot: (id) => id.slice(0, 13), text: () => undefined, action: (text) => (text.includes('/') ? 'OWNER/lifeboat' : 'VERSION'),
    url: () => null,
  }
  for (const { set, sources = [] } of snapshots.toReversed()) {
    naming.set(set)
    for (const { name, database } of sources) naming.source(name, database)
  }
  return naming
}
