import type { S3Client } from '@aws-sdk/client-s3'
import type { Answer } from '../../net/http.ts'
import { escaped, type Limits, type Requests } from './requests.ts'

type Asked = Parameters<Requests['handle']>[0]
type Signer = Awaited<ReturnType<S3Client['config']['signer']>>

/** How the SDK asked for an object: all but its key. */
interface Route {
  asked: Pick<Asked, 'protocol' | 'hostname' | 'port'>
  host: string
  /** Of the bucket: empty, or the bucket's name if that is in the path. */
  path: string
  region: string
  signer: Signer
}

/** SHA-256 of no bytes: the body of a GET. */
const NOTHING = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

/**
 * Asks for objects as the SDK did before, signed by the SDK, but without the rest of what it does around each request, which takes several
 * times as long as the request itself; a list of a thousand snapshots is thousands of them.
 */
export class Direct {
  readonly #client: S3Client
  readonly #requests: Requests
  #route: Route | undefined

  constructor(client: S3Client, requests: Requests) {
    this.#client = client
    this.#requests = requests
    const follow = { name: 'lifeboatFollow', step: 'finalizeRequest', priority: 'low' } as const
    client.middlewareStack.add(
      (next, { commandName }) =>
        async (args) => {
          const answered = await next(args)
          // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the SDK's own request, and the input of a GetObjectCommand
          if (commandName === 'GetObjectCommand') await this.#learn(args.request as Asked, (args.input as { Key: string }).Key)
          return answered
        },
      follow,
    )
  }

  /**
   * The object at a key of the bucket, or its headers; undefined for any other answer than 200: the SDK, asked again, knows what it means.
   */
  async ask(method: 'GET' | 'HEAD', key: string, limits: Limits): Promise<Answer | undefined> {
    const route = this.#route
    if (!route) return undefined
    const request = {
      ...route.asked,
      method,
      path: route.path + path(key),
      query: {},
      headers: { host: route.host, 'x-amz-content-sha256': NOTHING },
    }
    const signed = await route.signer.sign(request, {
      signingDate: new Date(Date.now() + this.#client.config.systemClockOffset),
      signingRegion: route.region,
      signingService: 's3',
    })
    const answer = await this.#requests.ask({ ...request, headers: signed.headers }, limits)
    return answer.status === 200 ? answer : undefined
  }

  /** From a request that was answered well. */
  async #learn({ protocol, hostname, port, path: asked, headers }: Asked, key: string): Promise<void> {
    const host = headers['host']
    // AWS Signature Version 4, "Credential": key, day, region, service.
    const [, region] = /Credential=[^,]*\/\d{8}\/([^/,]+)\/s3\/aws4_request,/.exec(headers['authorization'] ?? '') ?? []
    if (host === undefined || region === undefined || !asked.endsWith(path(key))) return
    const signer = await this.#client.config.signer()
    this.#route = { asked: { protocol, hostname, port }, host, path: asked.slice(0, -path(key).length), region, signer }
  }
}

function path(key: string): string {
  return `/${key.split('/').map(escaped).join('/')}`
}
