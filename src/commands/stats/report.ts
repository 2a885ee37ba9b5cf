import type { StatsResult } from './result.ts'
import type { Statistics } from '../../repository/statistics.ts'
import { formatBytes, formatColumns, formatCount, formatShare, formatTime } from '../../report/format.ts'
import type { TextContext } from '../../report/context.ts'

export function statsHeadline({ total, store }: StatsResult): string {
  return `${statisticsSentence(total)} in ${store}`
}

/** `20 snapshots of 25.0 GB take 310 MB`: a few figures for a summary. */
function statisticsSentence({ snapshots, size, stored }: Statistics): string {
  return `${formatCount(snapshots, 'snapshot')} of ${formatBytes(size)} ${snapshots === 1 ? 'takes' : 'take'} ${formatBytes(stored)}`
}

/** The parts of the difference between the two. */
export function savings(statistics: Statistics): { deduplicated: string; compressed: string; differences: string } {
  const { size, differences, bases = { stored: 0 } } = statistics
  // Bases that only differences need are no part of what was backed up.
  const unique = Math.min(statistics.unique, size)
  const stored = statistics.stored - bases.stored
  const saved = differences.alone - differences.stored
  // Where they are not known, they are among the chunks that each count once.
  const least = statistics.bases === undefined && differences.objects > 0 ? 'at least ' : ''
  return {
    deduplicated: `${least}${formatBytes(size - unique)} (${formatShare(size - unique, size)}) was there already`,
    compressed:
      `${formatBytes(Math.max(0, unique - stored - saved))} (${formatShare(Math.max(0, unique - stored - saved), unique)} ` +
      'of the rest)',
    differences:
      `about ${formatBytes(saved)}: ${formatCount(differences.objects, 'difference')} in ` +
      `${formatBytes(differences.stored)} in place of ${formatBytes(differences.alone)}`,
  }
}

export function statsText(result: StatsResult, { timeZone }: TextContext): string {
  const { total, sets, others } = result
  return [
    statsHeadline(result),
    ...(sets.length === 1 ? [] : [figures(total)]),
    ...sets.flatMap((one) => [
      '',
      `Set ${one.set}: ${formatCount(one.snapshots, 'snapshot')}, from ${formatTime(one.oldest, timeZone)} to ` +
        formatTime(one.newest, timeZone),
      figures(one),
      '',
      formatColumns(
        [
          ['PERIOD', 'SNAPSHOTS', 'NEWEST SIZE', 'NEWEST NEEDS', 'ADDED'],
          ...one.growth.map(({ period, snapshots, size, stored, added }) => [
            period,
            snapshots.toLocaleString('en-US'),
            formatBytes(size),
            formatBytes(stored),
            formatBytes(added),
          ]),
        ],
        '  ',
      ),
    ]),
    ...(others === 0 ? [] : ['', `${formatCount(others, 'snapshot')} of another key ${others === 1 ? 'is' : 'are'} not counted.`]),
  ].join('\n')
}

function basesText({ objects, stored }: NonNullable<Statistics['bases']>): string {
  const [is, them] = objects === 1 ? ['is', 'it'] : ['are', 'them']
  return `${formatCount(objects, 'chunk')} in ${formatBytes(stored)} ${is} kept only because others are differences from ${them}`
}

function figures(statistics: Statistics): string {
  const { size, stored, objects, bases } = statistics
  const { deduplicated, compressed, differences } = savings(statistics)
  const part = size > 0 ? `, ${formatShare(stored, size)} of it` : ''
  return formatColumns([
    ['backed up', formatBytes(size)],
    [
      'stored',
      `${formatBytes(stored)} in ${formatCount(objects, 'chunk')}${part}`,
    ],
    ['deduplicated', deduplicated],
    ['compressed', compressed],
    ['differences', differences],
    ...(bases && bases.objects > 0 ? [['bases', basesText(bases)]] : []),
  ], '  ')
}
