import { once } from 'node:events'
import { createServer } from 'node:net'

/** A port on loopback that nobody listens on now; someone else may be faster to take it. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port on 127.0.0.1 is free')
  return address.port
}
