import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { z } from 'zod'
import { listening } from './free-port.ts'

/** The part of GitHub's cache service that @actions/cache asks for, and the blobs behind it, in memory. */
export interface CacheService {
  /** The variables by which a runner announces the service to an action. */
  readonly variables: Readonly<Record<string, string>>
  /** Keys of the entries, the newest last. */
  keys(): string[]
  /** Forgets all entries. */
  clear(): void
  /** Every call so far: its name, or the method of one for a blob. */
  readonly calls: readonly string[]
  /** From now on every call, or every call of this name, is answered with this status, or never. */
  fail(status: number | 'never', call?: string): void
  stop(): Promise<void>
}

interface Entry {
  key: string
  version: string
  blob: Buffer
  done: boolean
}

const asked = z.object({ key: z.string(), version: z.string(), restore_keys: z.array(z.string()).optional() })

export async function startCacheService(): Promise<CacheService> {
  const entries = new Map<string, Entry>()
  let failing: { status: number | 'never'; call: string | undefined } | undefined
  const made: string[] = []
  let base = ''
  const calls: Record<string, (body: z.infer<typeof asked>) => object> = {
    CreateCacheEntry: ({ key, version }) => {
      if ([...entries.values()].some((entry) => entry.key === key && entry.version === version)) return { ok: false }
      const id = randomUUID()
      entries.set(id, { key, version, blob: Buffer.alloc(0), done: false })
      return { ok: true, signed_upload_url: `${base}/blobs/${id}?sig=x` }
    },
    FinalizeCacheEntryUpload: ({ key, version }) => {
      const found = [...entries.values()].find((entry) => entry.key === key && entry.version === version)
      if (found) found.done = true
      return { ok: found !== undefined, entry_id: '1' }
    },
    GetCacheEntryDownloadURL: ({ key, version, restore_keys: prefixes = [] }) => {
      const matches = [...entries].filter(([, entry]) => entry.done && entry.version === version && [key, ...prefixes].some((prefix) => entry.key.startsWith(prefix)))
      const newest = matches.at(-1)
      return newest ? { ok: true, signed_download_url: `${base}/blobs/${newest[0]}?sig=x`, matched_key: newest[1].key } : { ok: false }
    },
  }
  const server = createServer((request, response) => {
    void buffer(request).then((body) => {
      const { pathname } = new URL(request.url ?? '/', 'http://cache')
      const name = pathname.startsWith('/blobs/') ? `${request.method} blob` : (pathname.split('/').at(-1) ?? '')
      made.push(name)
      const status = failing && (failing.call ?? name) === name ? failing.status : undefined
      if (status === 'never') return undefined
      if (status !== undefined) return response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ code: 'permission_denied', msg: 'no' }))
      const entry = entries.get(pathname.replace('/blobs/', ''))
      if (entry && request.method === 'PUT') {
        entry.blob = body
        return response.writeHead(201, { etag: '"1"', 'x-ms-request-id': '1', 'last-modified': new Date().toUTCString() }).end()
      }
      if (entry) return response.writeHead(200, { 'content-length': entry.blob.length }).end(request.method === 'HEAD' ? undefined : entry.blob)
      const call = calls[name]
      if (!call) return response.writeHead(404).end()
      return response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(call(asked.parse(JSON.parse(body.toString())))))
    })
  })
  base = `http://127.0.0.1:${await listening(server)}`
  return {
    variables: {
      GITHUB_SERVER_URL: 'https://github.com', ACTIONS_RESULTS_URL: `${base}/`, ACTIONS_CACHE_URL: `${base}/`, ACTIONS_RUNTIME_TOKEN: 'a.b.c', ACTIONS_CACHE_SERVICE_V2: 'True',
    },
    keys: () => [...entries.values()].filter((entry) => entry.done).map((entry) => entry.key),
    clear: () => entries.clear(),
    calls: made,
    fail: (status, call) => void (failing = { status, call }),
    stop: async () => {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}
