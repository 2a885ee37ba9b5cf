import { kindIfKnown } from '../../sources/known-kinds.ts'
import type { DiffResult, SourceDiff } from './result.ts'
import { formatBytes, formatColumns, formatShare, formatTime, oneLine } from '../../report/format.ts'
import type { TextContext } from '../../report/context.ts'

export function diffHeadline({ from, to, content }: DiffResult): string {
  const share = formatShare(content.sharedBytes, content.bytes)
  return `${share} of the content of ${to.snapshot} is in chunks that ${from.snapshot} has as well`
}

export function diffText(result: DiffResult, { timeZone }: TextContext): string {
  const { from, to, content } = result
  const differences = content.deltaChunks > 0
    ? `; of the others, stored as differences from similar ones: ${content.deltaChunks.toLocaleString('en-US')}`
    : ''
  return [
    formatColumns(
      [from, to].map(({ snapshot, set, time, size }, index) => [
        index === 0 ? 'from' : 'to',
        snapshot,
        set,
        formatTime(time, timeZone),
        formatBytes(size),
      ]),
    ),
    `${formatBytes(content.sharedBytes)} of ${formatBytes(content.bytes)} (${formatShare(content.sharedBytes, content.bytes)}) are ` +
      `the same chunks: ${content.sharedChunks.toLocaleString('en-US')} of ${content.chunks.toLocaleString('en-US')}` + differences,
    ...result.sources.flatMap((source) => ['', ...sourceText(source)]),
  ].join('\n')
}

function sourceText(source: SourceDiff): string[] {
  const { name, kind, from, to, identical } = source
  const head = `${oneLine(name)} (${kind}): ${sizesText(from, to)}`
  if (identical) return [head, '  identical, byte for byte']
  return [head, ...(kindIfKnown(kind)?.compareText(source) ?? [])]
}

function sizesText(from: number | null, to: number | null): string {
  if (from === null) return `added, ${formatBytes(to!)}`
  if (to === null) return `removed, was ${formatBytes(from)}`
  return from === to ? formatBytes(to) : `${formatBytes(from)} -> ${formatBytes(to)}`
}
