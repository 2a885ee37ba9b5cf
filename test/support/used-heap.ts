import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Bytes of all that is still needed. */
export function usedHeap(): number {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc()')
  return process.memoryUsage().heapUsed
}

/** The same, with the bytes of buffers. */
function usedMemory(): number {
  usedHeap() // The bytes of buffers are given back after the first.
  return usedHeap() + process.memoryUsage().arrayBuffers
}

/** Bytes that may be kept after the first time. */
const KEPT = 1_000_000

/**
 * The bytes that some work needed where it called `measure`; it leaves nothing. Other tests ran in this process, and what they leave may be
 * given back meanwhile: the work is then done again.
 */
export async function memoryOf(work: (measure: () => void) => Promise<void>): Promise<number> {
  for (let attempt = 0; attempt < 10; attempt++) {
    const before = usedMemory()
    let used = before
    await work(() => (used = usedMemory()))
    if (Math.abs(usedMemory() - before) < KEPT) return used - before
  }
  throw new Error('the memory of this process is not the same before and after the work')
}
