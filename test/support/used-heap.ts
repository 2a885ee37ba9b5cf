import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Bytes of all that is still needed. */
export function usedHeap(): number {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc()')
  return process.memoryUsage().heapUsed
}

/** The same, with the bytes of buffers. */
export function usedMemory(): number {
  usedHeap() // The bytes of buffers are given back after the first.
  return usedHeap() + process.memoryUsage().arrayBuffers
}
