import { formatBytes, formatSeconds, formatTime, oneLine } from '../../report/format.ts'
import type { TextContext } from '../../report/context.ts'
import type { ExtractResult } from './result.ts'

export function extractHeadline({ source, path, table, size, output }: ExtractResult): string {
  const part = (path ?? table) === undefined ? oneLine(source) : `${oneLine(path ?? table ?? '')} of ${oneLine(source)}`
  return `${part} written to ${output === undefined ? 'standard output' : oneLine(output)}: ${formatBytes(size)}`
}

export function extractText(result: ExtractResult, { timeZone }: TextContext): string {
  const { snapshot, time, seconds } = result
  return `${extractHeadline(result)} in ${formatSeconds(seconds)}, from snapshot ${snapshot}, made ${formatTime(time, timeZone)}`
}
