import { LifeboatError, messageOf } from '../../../error.ts'
import { marked } from '../../../marks.ts'
import { formatSome, formatTime, oneLine } from '../../../report/format.ts'
import type { Forgotten, Undone } from '../../restored.ts'
import { exchangeSteps } from '../preflight/steps.ts'
import { identifier, literal, withoutTransaction } from '../query.ts'
import type { RestoreOptions } from '../restore-plan.ts'
import type { SwapSettings } from '../settings.ts'
import { KEEP_OLD } from '../../settings.ts'
import { commentOf, databasesOf, type Kept, keptOf, namedAmong, type NamedDatabase } from './databases.ts'
import { exchange } from './exchange.ts'
import { removeLeft } from './new-database.ts'
import { markOf, notOwned, warnOfUse } from './swap.ts'
import { withTarget } from './with-target.ts'

export type AfterSwapOptions = Pick<RestoreOptions, 'target' | 'clients' | 'provide' | 'variables' | 'signal' | 'report' | 'leaves'> &
  Omit<SwapSettings, 'drill'> & {
    /** The name of the kept database that is meant. */
    old?: string | undefined
    now: () => Date
    dryRun: boolean
  }

/**
 * Exchanges the target with a database that an exchange put aside, the last one if none is named. The other is kept in its turn. A dry run
 * makes the same checks, and changes nothing.
 */
export function undoSwap(options: AfterSwapOptions): Promise<Undone> {
  return withTarget(options, async (name, maintenance) => {
    const { target, old, lockTimeout, terminate, keepOld = KEEP_OLD, now, dryRun, report, leaves } = options
    const { signal } = maintenance
    const databases = await databasesOf(maintenance)
    const live = namedAmong(databases, name, target.where)
    const all = keptOf(databases, name)
    const back = old === undefined ? theOneBefore(live, all, target.where) : keptNamed(old, all, target.where)
    requireBelieved(back, live, target.where)
    if (!live.owned || !back.owned) throw notOwned(target.where)
    const mark = markOf(live, back, databases, { at: now(), keepOld })
    const others = all.filter((one) => one !== back && isBelieved(one, live)).map(({ name, mark: { at } }) => ({ name, since: at }))
    const about = { target: target.where, back: back.name, since: back.mark.at, others }
    if (dryRun) {
      await warnOfUse(live, options, maintenance, report)
      const incoming = `it for ${back.name}, which was put aside ${formatTime(back.mark.at, 'UTC')},`
      return { ...about, steps: exchangeSteps(target.where, incoming, options, { name: mark.name, until: mark.until }) }
    }
    await removeLeft(name, databases, maintenance, report)
    const comment = back.mark.comment === null ? 'NULL' : literal(back.mark.comment)
    const statements = [
      `COMMENT ON DATABASE ${identifier(back.name)} IS ${comment}`,
      `COMMENT ON DATABASE ${identifier(live.name)} IS ${literal(commentOf(mark))}`,
    ]
    leaves?.(`whether ${target.where} and ${back.name} were exchanged is not known`,
      `If the server still has a database named ${back.name}, they were not.`)
    const both = { live, incoming: back, aside: mark.name, statements }
    const pause = await exchange(both, { lockTimeout, terminate, report }, maintenance).catch((error: unknown) => {
      if (signal.aborted && error === signal.reason) leaves?.(`nothing was exchanged: ${target.where} is as it was before`)
      throw error
    })
    leaves?.(`${target.where} is now the database that was kept as ${back.name}`)
    return {
      ...about, swapped: { kept: mark.name, until: mark.until, ...(pause !== undefined && { pause }) },
    }
  })
}

/** The last one for which the target was exchanged: after two restores and an undo, the target has taken the place of two. */
function theOneBefore(live: NamedDatabase, all: readonly Kept[], where: string): Kept {
  const claiming = all.filter(({ mark }) => mark.by === live.oid)
  const back = claiming.find((one) => isBelieved(one, live)) ?? claiming[0]
  if (back) return back
  throw nothingToUndo(where, all)
}

function keptNamed(old: string, all: readonly Kept[], where: string): Kept {
  const found = all.find(({ name }) => name === old)
  if (found) return found
  throw new LifeboatError(`${oneLine(old)} is no database that a restore with mode swap has put aside for ${where}`, {
    hint: `Nothing was changed. ${all.length > 0 ? `Kept for it: ${keptTexts(all)}.` : 'None is kept for it.'}` })
}

/**
 * The mark is a comment, which the owner of any database can write: of one that belongs to somebody else than the target it is believed
 * only of a superuser, or of this role.
 */
function isBelieved({ trusted, owner }: Kept, live: NamedDatabase): boolean {
  return trusted || owner === live.owner
}

function requireBelieved(back: Kept, live: NamedDatabase, where: string): void {
  if (isBelieved(back, live)) return
  throw new LifeboatError(`${back.name} claims to be the one from before ${where}, but belongs to ${back.owner} and not to ${live.owner}`, {
    hint: 'Nothing was changed. The owner of any database can write such a claim. If it is true, run ' +
      `ALTER DATABASE ${identifier(back.name)} OWNER TO ${identifier(live.owner)} first. ` +
      marked`Another database that is kept: name it with ‹old-database›.` })
}

function keptTexts(kept: readonly Kept[]): string {
  return formatSome(kept.map(({ name, mark }) => `${oneLine(name)} (until ${mark.at} ${oneLine(mark.target)})`), 5)
}

function nothingToUndo(where: string, kept: readonly Kept[]): LifeboatError {
  if (kept.length === 0)
    return new LifeboatError(`no restore with mode swap has put a database aside for ${where}, or it was dropped`, {
      hint: 'The server may have it under a name that somebody gave it. Nothing was changed.' })
  return new LifeboatError(`${where} is not the database that the last restore with mode swap made: nothing was changed`, {
    hint: `Databases that are kept: ${keptTexts(kept)}. ` + marked`Name one of them: ‹old-database: ${kept[0]!.name}›.` })
}

/** Drops databases that exchanges of the target have put aside, or the named one, if their time is over. None in use is dropped. */
export function forgetOld(options: AfterSwapOptions): Promise<Forgotten> {
  return withTarget(options, async (name, maintenance) => {
    const { target, keepOld, now, dryRun, report } = options
    const databases = await databasesOf(maintenance)
    const all = keptOf(databases, name)
    const meant = options.old === undefined ? all : [keptNamed(options.old, all, target.where)]
    if (!dryRun) await removeLeft(name, databases, maintenance, report)
    const forgotten: Forgotten = { target: target.where, dropped: [], kept: [], errors: [], ...(dryRun && { steps: [] }) }
    for (const { name: old, mark } of meant) {
      const until = keepOld === undefined ? mark.until : new Date(Date.parse(mark.at) + keepOld).toISOString()
      if (Date.parse(until) > now().getTime()) forgotten.kept.push({ name: old, until })
      else if (forgotten.steps)
        forgotten.steps.push(`Drop the database ${oneLine(old)}, which was put aside ${formatTime(mark.at, 'UTC')}.`)
      else {
        try {
          await withoutTransaction(`DROP DATABASE ${identifier(old)}`, { ...maintenance, timeLimit: Infinity })
          forgotten.dropped.push(old)
        } catch (error) {
          options.signal.throwIfAborted()
          forgotten.errors.push(`${old} was not dropped: ${messageOf(error)}`)
        }
      }
    }
    if (forgotten.kept.length > 0)
      report.info(marked`databases whose time is not over are kept; ‹keep-old: 0d› drops them too`)
    return forgotten
  })
}
