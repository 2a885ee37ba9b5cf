import { marked, markedCommand } from '../../marks.ts'
import { formatTime, oneLine } from '../../report/format.ts'
import type { Swapped } from '../../sources/restored.ts'
import type { RestoreInputs } from './inputs.ts'
import type { Afterwards, RestoreResult } from './result.ts'
import { withUrl } from './safety.ts'

type Given = Pick<RestoreInputs, 'all' | 'objects' | 'files' | 'swap' | 'timeZone'>
type Target = Omit<Afterwards, 'leftOut'>

/** The name of the target, and the way to the content that a safety backup has, if one was made. */
export interface WayBack {
  name: string
  safety: string | undefined
}

/** Undefined for a run that restored nothing on purpose. */
export function afterwards(result: Omit<RestoreResult, 'seconds'>, given: Given, back: WayBack | undefined): Afterwards | undefined {
  if (!back || result.mode === 'verify-only' || result.steps !== undefined) return undefined
  const target = result.volume === undefined ? databaseAfter(result, given, back.name) : volumeAfter(result, given)
  return { ...target, ...safetyAfter(result, target, given, back.safety), leftOut: leftOutBy(given, result) }
}

/** Where the content from before is, if a safety backup was made and something was replaced. */
function safetyAfter(
  { safety, left, swapped }: Omit<RestoreResult, 'seconds'>, without: Target, { timeZone }: Given, wayBack: string | undefined,
): Pick<Target, 'before' | 'back'> | undefined {
  if (!safety || wayBack === undefined || left === 'unchanged') return undefined
  const where = `snapshot ${safety.snapshot} of set ${oneLine(safety.set)}`
  const until = `a safety backup that is kept until ${formatTime(safety.until, timeZone)}`
  // The database that was exchanged has everything, and is faster to get back.
  if (swapped) return { ...without, before: `${without.before} The same, from before the restore began, is in ${where}, ${until}.` }
  return { before: `The content from before is in ${where}, ${until}.`, back: wayBack }
}

const NOTHING = 'Nothing was changed.'
const BACKUP = 'a backup from before this restore'

function databaseAfter(
  result: Omit<RestoreResult, 'seconds'>, { timeZone, all, swap, objects: { dropOthers, only } }: Given, name: string,
): Target {
  const { mode, left, swapped, errors, selection, restored } = result
  const target = oneLine(result.target)
  if (left === 'dropped') {
    return {
      now: `There is no database ${target}: the new one was dropped again, because the restore failed.`,
      before: 'There was none.', back: NOTHING,
    }
  }
  if (left === 'unchanged') return { now: `${target} is as it was before.`, before: 'The same.', back: NOTHING }
  const content = only === 'schema' ? `definitions${selection ? ' of the selected objects' : ''}`
    : only === 'data' ? `rows${selection ? ' of the selected tables' : ''}` : selection ? 'selected objects' : 'content'
  const from = `snapshot ${result.snapshot}, of ${formatTime(result.time, timeZone)}`
  const has = errors.length > 0 || (result.missing ?? []).length > 0 ? `has a part of ${from}` : `has the ${content} of ${from}`
  if (swapped) {
    return {
      now: `${target} ${has}.`,
      ...afterExchange(swapped, name, { swap, timeZone }, all.wanted ? withUrl(result.target) : ''),
    }
  }
  if (mode === 'create')
    return { now: `${target} is a new database, and ${has}.`, before: 'There was none.', back: 'Drop the new database.' }
  if (mode === 'clean' && dropOthers) {
    return {
      now: `${target} ${has}, and nothing else.`,
      before: 'Other objects and rows perhaps. They were removed, and this restore keeps no copy.', back: `Restore ${BACKUP}.`,
    }
  }
  if (mode === 'clean') {
    const which = selection ? 'selected objects' : 'objects that the backup has'
    const objects = `${which}${only === 'schema' ? ', without rows,' : ''}`
    return {
      now: `In ${target}, the ${objects} are as in ${from}; all others are as before${result.removed ? ', or removed' : ''}.`,
      before: 'These objects, with other rows perhaps. They were replaced, and this restore keeps no copy.',
      back: `Restore ${BACKUP}.`,
    }
  }
  const nothing = restored === 0 ? ', which is nothing' : ''
  if (only === 'data') {
    return {
      now: `${target} ${has}${nothing}; everything else is as before.`, before: 'Tables without rows.',
      back: 'Empty the tables that were loaded: TRUNCATE, without CASCADE, which empties others too.',
    }
  }
  return {
    now: `${target} ${has}${nothing}.`, before: 'A database without objects, or tables without rows.',
    back: marked`Drop the database and make it again, or restore into another with ‹mode: create›.`,
  }
}

/** The place of the database that was exchanged, and the way back to it. `name`: of the target; `which`: what else the way back needs. */
export function afterExchange(
  { kept, until }: Swapped, name: string, given: Pick<Given, 'swap' | 'timeZone'>, which = '',
): Pick<Target, 'before' | 'back'> {
  return {
    before: `The database from before is kept as ${oneLine(kept)}, at least until ${formatTime(until, given.timeZone)}.`,
    back: `Exchange the two again${which}: ${undoCommand(name, given)}. ` +
      marked`After that time, ‹forget-old: true› drops the one that is kept.`,
  }
}

/** `old`: the name of the kept database that is meant, if it is not the one that was put aside last. */
export function undoCommand(name: string, { swap: { terminate } }: Pick<Given, 'swap'>, old?: string): string {
  return markedCommand('restore', {
    undo: 'true', ...(old !== undefined && { 'old-database': old }), ...(terminate && { 'terminate-connections': 'true' }), confirm: name,
  })
}

function volumeAfter(
  { mode, target: where, snapshot, errors, missing = [], deleted }: Omit<RestoreResult, 'seconds'>, { files }: Pick<Given, 'files'>,
): Target {
  const target = oneLine(where)
  const part = errors.length + missing.length > 0 ? 'a part of ' : ''
  const has = `${part}the ${files.paths.length > 0 ? 'selected ' : ''}files of snapshot ${snapshot}`
  if (mode === 'empty') return { now: `${target} has ${has}.`, before: 'It was empty, or did not exist.', back: `Empty ${target}.` }
  const back = `Restore ${BACKUP}.`
  if (mode === 'clean')
    return { now: `${target} has ${has}, and no others.`, before: 'The content from before was removed after the exchange.', back }
  return {
    now: `${target} has ${has}; ${deleted === undefined || deleted === 0 ? 'all other files are as before' : 'others were deleted'}.`,
    before: 'Files with the same names were replaced, and this restore keeps no copy.', back,
  }
}

function leftOutBy({ objects, files }: Given, { volume, databaseSettings, selection }: Omit<RestoreResult, 'seconds'>): string[] {
  if (volume !== undefined) return files.paths.length > 0 ? ['files that do not match paths'] : []
  const { schemas, tables, only, noOwner, noPrivileges, noTablespaces } = objects
  return [
    ...(selection || schemas.length + tables.length > 0 ? ['objects that were not selected'] : []),
    ...(only === 'schema' ? ['all rows'] : only === 'data' ? ['all definitions'] : []),
    ...(noOwner ? ['owners'] : []),
    ...(noPrivileges ? ['privileges'] : []),
    ...(noTablespaces ? ['tablespaces'] : []),
    ...(databaseSettings === 'left as they are' ? ['the settings of the database itself'] : []),
  ]
}

/** The same as one line each, with its label. */
export function afterwardsLines({ now, before, back, leftOut }: Afterwards): [label: string, text: string][] {
  const lines: [string, string][] = [['now', now], ['before', before], ['to go back', back]]
  return leftOut.length > 0 ? [...lines, ['left out', leftOut.join(', ')]] : lines
}
