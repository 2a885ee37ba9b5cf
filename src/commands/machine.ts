import { availableParallelism, totalmem } from 'node:os'
import { formatBytes, formatCount } from '../report/format.ts'

/** `linux x64, 4 CPUs, 16.8 GB of memory`: a recovery takes another time elsewhere. */
export function machine(): string {
  return `${process.platform} ${process.arch}, ${formatCount(availableParallelism(), 'CPU')}, ${formatBytes(totalmem())} of memory`
}
