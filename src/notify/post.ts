import { LifeboatError } from '../error.ts'
import { request } from '../net/http.ts'
import type { Sending } from './kind.ts'

/** Nothing of an answer is used. */
const LARGEST_ANSWER = 64 * 1024

/**
 * Posts a message. Redirects are not followed: the address is given by the owner of the run, and an answer does not get to choose another,
 * in the network of the runner for instance. Throws a `Transient` for a lost connection and for statuses that ask to come back later.
 */
export async function post(
  url: URL, body: string, headers: Readonly<Record<string, string>>, { signal, limit }: Pick<Sending, 'signal' | 'limit'>,
): Promise<void> {
  const { status } = await request(
    url,
    { method: 'POST', headers: { 'user-agent': 'lifeboat', ...headers }, body },
    { signal, silence: limit, maximum: LARGEST_ANSWER },
  )
  if (status >= 200 && status < 300) return
  if (status >= 300 && status < 400) {
    throw new LifeboatError(`${url.host} answered with a redirect (status ${status}), which is not followed`, {
      hint: 'Give the address that it redirects to.',
    })
  }
  throw new LifeboatError(`${url.host} refused the message (status ${status})`, {
    hint: 'Check that the address is complete and that the service still knows it.',
  })
}

export async function postJson(
  url: URL, body: object, sending: Pick<Sending, 'signal' | 'limit'>, headers: Readonly<Record<string, string>> = {},
): Promise<void> {
  // Without the charset, Microsoft Teams counts two bytes for each character of a card, which may have 28 KB.
  await post(url, JSON.stringify(body), { 'content-type': 'application/json; charset=utf-8', ...headers }, sending)
}
