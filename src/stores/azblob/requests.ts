import { AsyncLocalStorage } from 'node:async_hooks'
import { Readable } from 'node:stream'
import type { IHttpClient, WebResource } from '@azure/storage-blob'
import { request } from '../../net/http.ts'
import { Transient } from '../../net/retry.ts'

type Answer = Awaited<ReturnType<IHttpClient['sendRequest']>>

/** Of answers that are no object: a page of a listing has 5,000 names. */
const LARGEST_ANSWER = 16 * 1024 * 1024
/** Bytes of a good answer that are read to the requests made within; Azure's client has no way to hand it on. */
export const maximum = new AsyncLocalStorage<number>()

export interface RequestsOptions {
  signal: AbortSignal
  /** Milliseconds without a byte after which a request is given up. */
  silence: number
  /** Of OAuth, asked for each request; undefined where requests are signed in another way. */
  token: (() => Promise<string>) | undefined
}

/** How Azure's client asks the service: as every store does, so that stalls, proxies and lost connections are dealt with in one place. */
export class Requests implements IHttpClient {
  readonly #options: RequestsOptions

  constructor(options: RequestsOptions) {
    this.#options = options
  }

  async sendRequest(asked: WebResource): Promise<Answer> {
    const { signal, silence, token } = this.#options
    const url = new URL(asked.url)
    const headers = { ...asked.headers.toJson(), ...(token && { authorization: `Bearer ${await token()}` }) }
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- ours, or text of the client's
    const sent = asked.body as string | Uint8Array | undefined
    const {
      status,
      headers: received,
      body,
    } = await request(
      url,
      { method: asked.method, headers, body: sent },
      { signal, silence, maximum: maximum.getStore() ?? LARGEST_ANSWER },
    )
    const announced = received.get('content-length')
    if (asked.method !== 'HEAD' && announced !== null && Number(announced) !== body.length) {
      throw new Transient(`${url.host} sent ${body.length} bytes where it announced ${announced}`)
    }
    // Another server that answers with status 200, a login page for instance, would read as an empty store.
    if (!received.has('x-ms-request-id')) throw new Transient(`the answer of ${url.host} is not that of Azure Blob Storage`)
    const answered = asked.headers.clone()
    for (const name of answered.headerNames()) answered.remove(name)
    for (const [name, value] of received) answered.set(name, value)
    const streamed = asked.streamResponseStatusCodes?.has(status) === true
    return {
      request: asked,
      status,
      headers: answered,
      ...(streamed ? { readableStreamBody: Readable.from([body]) } : { bodyAsText: body.toString('utf8') }),
    }
  }
}
