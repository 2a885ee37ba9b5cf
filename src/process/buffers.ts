/**
 * Gives back the memory of a buffer at once, and not when it is collected: what flows through a backup would else have the heap collected
 * for every few megabytes, which takes a fifth of all CPU time. Only for who alone has it: all views of it are empty from then on. Small
 * buffers of Node share one, and what a store was given may still be on its way when the put is done.
 */
export function giveBack(buffer: ArrayBufferLike): void {
  // To detach it is all that this does (ECMAScript 2024, ArrayBuffer.prototype.transfer).
  if (buffer instanceof ArrayBuffer && buffer.byteLength > 0) buffer.transfer(0)
}

/** The same for a buffer that may be cut from one that Node shares among small ones: those are left to the collector. */
export function giveBackLarge(bytes: Uint8Array): void {
  if (bytes.buffer.byteLength > Buffer.poolSize) giveBack(bytes.buffer)
}
