import { z } from 'zod'
import { LifeboatError } from '../error.ts'
import { request } from '../net/http.ts'
import { retry } from '../net/retry.ts'

interface TokenContext {
  signal: AbortSignal
  /** Milliseconds. */
  timeout: number
  mask: (secret: string) => void
}

/** The token that says which job this is (GitHub, "About security hardening with OpenID Connect"). */
export async function jobToken(
  asked: { url: string; bearer: string; audience: string },
  { signal, timeout, mask }: TokenContext,
): Promise<string> {
  const url = new URL(asked.url)
  url.searchParams.set('audience', asked.audience)
  const answer = await retry(
    (silence) => request(url, { headers: { authorization: `Bearer ${asked.bearer}` } }, { signal, silence, maximum: 1_000_000 }),
    { signal, budget: timeout },
  )
  const parsed = answer.status === 200 ? z.object({ value: z.string().min(1) }).safeParse(jsonOf(answer.body)) : undefined
  if (!parsed?.success) {
    throw new LifeboatError(`GitHub gave this job no identity token (status ${answer.status})`, {
      hint: 'Give the job `permissions: id-token: write`.',
    })
  }
  mask(parsed.data.value)
  return parsed.data.value
}

function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    // The caller reports that there is no token in it.
    return undefined
  }
}
