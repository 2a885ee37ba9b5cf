// A service of S3 of which one can only read: the objects of a folder, and besides, empty ones whose keys are in a file. It lists, from memory, a thousand
// keys a page, as Amazon does, and believes every signature. In a process of its own; the numbers of requests it was asked are told when asked for.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import path from 'node:path'

const PAGE = 1000

export interface StandIn {
  readonly endpoint: string
  /** Requests by what they were: `list`, `get`, `head`. */
  asked(): Promise<Record<string, number>>
  stop(): Promise<void>
}

/** `size`: bytes that the objects of the file with keys are said to have. */
export async function startStandIn(folder: string, keys: string, size: number): Promise<StandIn> {
  const child = fork(import.meta.filename, ['stand-in', folder, keys, `${size}`])
  const answer = async (): Promise<unknown> => {
    const [message]: unknown[] = await once(child, 'message')
    return message
  }
  const port = Number(await answer())
  return {
    endpoint: `http://127.0.0.1:${port}`,
    asked: async () => {
      child.send('asked')
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what `serve` sends
      return (await answer()) as Record<string, number>
    },
    stop: async () => {
      const ended = once(child, 'exit')
      child.kill()
      await ended
    },
  }
}

function serve(folder: string, file: string, size: number): void {
  const sizes = new Map<string, number>()
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const full = path.join(entry.parentPath, entry.name)
    if (entry.isFile()) sizes.set(path.relative(folder, full), statSync(full).size)
  }
  for (const key of readFileSync(file, 'utf8').trim().split('\n')) sizes.set(key, size)
  // All of them ASCII, so that this is the order of their bytes.
  const keys = [...sizes.keys()].toSorted()
  const modified = new Date(Date.now() - 7 * 24 * 3_600_000).toISOString()

  const page = (query: URLSearchParams): string => {
    const prefix = query.get('prefix') ?? ''
    const after = query.get('continuation-token') ?? query.get('start-after') ?? ''
    const start = Math.max(placeOf(keys, prefix), after === '' ? 0 : placeOf(keys, `${after}\0`))
    let end = start
    while (end < keys.length && end - start < PAGE && keys[end]!.startsWith(prefix)) end++
    const more = end < keys.length && keys[end]!.startsWith(prefix)
    const contents = keys.slice(start, end).map((key) => `<Contents><Key>${key}</Key><LastModified>${modified}</LastModified><ETag>&quot;00000000000000000000000000000000&quot;</ETag><Size>${sizes.get(key)}</Size><StorageClass>STANDARD</StorageClass></Contents>`)
    const next = more ? `<NextContinuationToken>${keys[end - 1]}</NextContinuationToken>` : ''
    return `<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>bucket</Name><Prefix>${prefix}</Prefix><KeyCount>${end - start}</KeyCount><MaxKeys>${PAGE}</MaxKeys><IsTruncated>${more}</IsTruncated>${contents.join('')}${next}</ListBucketResult>`
  }

  const asked: Record<string, number> = { list: 0, get: 0, head: 0, refused: 0 }
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const url = new URL(request.url!, 'http://localhost')
    const key = decodeURIComponent(url.pathname.slice('/bucket/'.length))
    const found = sizes.get(key)
    if (request.method === 'GET' && url.searchParams.get('list-type') === '2') {
      asked['list']!++
      response.writeHead(200, { 'content-type': 'application/xml' }).end(page(url.searchParams))
    } else if (request.method === 'HEAD' && found !== undefined) {
      asked['head']!++
      response.writeHead(200, { 'content-length': found, 'last-modified': new Date(modified).toUTCString() }).end()
    } else if (request.method === 'GET' && found !== undefined) {
      asked['get']!++
      response.writeHead(200, { etag: '"no checksum"' }).end(readFileSync(path.join(folder, key)))
    } else {
      asked['refused']!++
      const [status, code] = request.method === 'GET' || request.method === 'HEAD' ? [404, 'NoSuchKey'] : [403, 'AccessDenied']
      response.writeHead(status, { 'content-type': 'application/xml' }).end(`<?xml version="1.0"?><Error><Code>${code}</Code></Error>`)
    }
  }
  const listener = http.createServer(answer)
  process.on('message', () => process.send!(asked))
  process.on('disconnect', () => process.exit())
  listener.listen(0, '127.0.0.1', () => {
    const address = listener.address()
    if (address === null || typeof address === 'string') throw new Error('the stand-in has no port')
    process.send!(address.port)
  })
}

/** The place of the first that is not before `key`. */
function placeOf(keys: readonly string[], key: string): number {
  let [low, high] = [0, keys.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (keys[middle]! < key) low = middle + 1
    else high = middle
  }
  return low
}

if (process.argv[2] === 'stand-in') serve(process.argv[3]!, process.argv[4]!, Number(process.argv[5]))
