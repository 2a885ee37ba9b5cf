import { Readable } from 'node:stream'
import type { S3Client } from '@aws-sdk/client-s3'
import { type Answer, request } from '../../net/http.ts'
import { Transient } from '../../net/retry.ts'

type Handle = S3Client['config']['requestHandler']['handle']
type Asked = Parameters<Handle>[0]

/** Of answers that are no object: a page of a listing has a thousand keys. */
const LARGEST_ANSWER = 16 * 1024 * 1024

/** Of each request: milliseconds without a byte, and bytes of a good answer that are read. */
export interface Limits {
  requestTimeout?: number
  maximum?: number
}

/**
 * How the client of Amazon's SDK asks a service: as every store does, so that stalls, proxies and lost connections are dealt with in one
 * place. `Limits` are given with each command.
 */
export class Requests {
  readonly metadata = { handlerProtocol: 'http/1.1' }
  readonly #signal: AbortSignal
  readonly #silence: number

  /** `silence` is for what the SDK asks by itself. */
  constructor(signal: AbortSignal, silence: number) {
    this.#signal = signal
    this.#silence = silence
  }

  async handle(asked: Asked, limits: Limits = {}): ReturnType<Handle> {
    const answer = await this.ask(asked, limits)
    return { response: { statusCode: answer.status, headers: Object.fromEntries(answer.headers), body: Readable.from([answer.body]) } }
  }

  /** A whole answer, whatever its status. Throws `TooLong`. */
  async ask(asked: Asked, { requestTimeout: silence = this.#silence, maximum = LARGEST_ANSWER }: Limits): Promise<Answer> {
    const { protocol, hostname, port, path, query = {}, method, headers } = asked
    const parameters = Object.entries(query).flatMap(([name, value]) =>
      (Array.isArray(value) ? value : [value ?? '']).map((one) => `${escaped(name)}=${escaped(one)}`),
    )
    const url = new URL(`${protocol}//${hostname}${port === undefined ? '' : `:${port}`}`)
    const whole = `${path}${parameters.length > 0 ? `?${parameters.join('&')}` : ''}`
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- ours, or a form of the SDK's
    const body = asked.body as string | Uint8Array | undefined
    const answer = await request(url, { method, headers, body, path: whole }, { signal: this.#signal, silence, maximum })
    const announced = answer.headers.get('content-length')
    if (method !== 'HEAD' && announced !== null && Number(announced) !== answer.body.length) {
      throw new Transient(`${url.host} sent ${answer.body.length} bytes where it announced ${announced}`)
    }
    return answer
  }

  // The SDK wants these; there is nothing that could be changed.
  updateHttpClientConfig(): void {}
  httpHandlerConfigs(): Record<string, never> {
    return {}
  }
}

/** RFC 3986, as signatures count it. */
export function escaped(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`)
}
