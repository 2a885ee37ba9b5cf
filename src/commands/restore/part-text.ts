import { formatSome, oneLine } from '../../report/format.ts'
import type { Noun } from './chosen.ts'
import type { RestoreInputs } from './inputs.ts'

/** More names than a headline takes. */
const MOST = 5

const ONLY = { schema: 'definitions', data: 'rows' } as const

/** The part of a source that the inputs select, to be read before "of app"; undefined if it is all of it. */
export function partText({ objects, files }: Pick<RestoreInputs, 'objects' | 'files'>, noun: Noun): string | undefined {
  if (noun === 'volume') return files.paths.length > 0 ? `files that match ${formatSome(files.paths.map(oneLine), MOST)}` : undefined
  const { schemas, tables, only } = objects
  const selected = [
    ...named('schema', schemas), ...named('table', tables.map((table) => (typeof table === 'string' ? table : table.join('.')))),
  ].join(' and ')
  return [...(only === undefined ? [] : [ONLY[only]]), ...(selected === '' ? [] : [selected])].join(' of ') || undefined
}

function named(kind: string, names: readonly string[]): string[] {
  return names.length === 0 ? [] : [`${kind}${names.length > 1 ? 's' : ''} ${formatSome(names.map(oneLine), MOST)}`]
}
