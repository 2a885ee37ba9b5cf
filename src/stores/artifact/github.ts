import { z } from 'zod'
import type { Variables } from '../../environment.ts'
import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import { AGAIN, type Answer } from '../../net/http.ts'
import { type Clock, Transient } from '../../net/retry.ts'

/** An artifact as GitHub's services describe it. */
export interface ServiceArtifact {
  id: number
  name: string
  /** Bytes of the zip file. */
  size: number
  /** `sha256:` and 64 hex digits. */
  digest: string | undefined
  created: Date
  /** Only the REST API tells. */
  expires: Date | undefined
  run: number | undefined
  /** Made by a run of another repository's code: that of a fork's pull request, which can upload artifacts of any name. */
  foreign: boolean
}

/** The circumstances of calls to GitHub's services. */
export interface ServiceContext {
  variables: Variables
  signal: AbortSignal
  /** Milliseconds that a call may take with all its retries. */
  timeout: number
  clock?: Clock | undefined
}

/** Bytes of an answer. */
export const LARGEST_ANSWER = 16 * 1024 * 1024

export const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/)
export const time = z.iso.datetime({ offset: true })

/** An artifact that was deleted or expired since it was listed. */
export class Gone extends LifeboatError {
  constructor(name: string, id: number, problem = 'is gone: it was deleted or has expired', hint?: string) {
    super(`artifact ${name} (${id}) ${problem}`, hint === undefined ? {} : { hint })
    this.name = 'Gone'
  }
}

/** An artifact that GitHub still lists, although its storage has nothing of it any more. */
export class ContentGone extends Gone {
  constructor(name: string, id: number) {
    super(
      name,
      id,
      'counts as not there: GitHub lists it, but no longer has its content',
      marked`Run ‹lifeboat backup› again: it stores again what was in it. ‹lifeboat list› shows which snapshots are left.`,
    )
    this.name = 'ContentGone'
  }
}

/** Throws a `Transient` if the text is not JSON. */
export function jsonOf(answer: Answer): unknown {
  try {
    return JSON.parse(answer.body.toString('utf8'))
  } catch (cause) {
    // A proxy or a service in trouble answers with a page for people.
    throw new Transient('GitHub answered with something that is not JSON', { cause, hint: AGAIN })
  }
}

/**
 * Whether the text of a refusal comes from something in front of the service: a page instead of JSON, or Twirp's words for it (its
 * specification, "HTTP Errors from Intermediary Proxies"; actions/toolkit#2452). Such a refusal passes; a missing permission does not.
 */
export function isOfIntermediary(text: string): boolean {
  return /\bintermediary\b/i.test(text) || !/^\s*\{/.test(text)
}

export function parsed<T>(answer: Answer, schema: z.ZodType<T>): T {
  const result = schema.safeParse(jsonOf(answer))
  if (result.success) return result.data
  throw new LifeboatError(`GitHub's answer is not what it should be: ${z.prettifyError(result.error)}`, { hint: AGAIN })
}

/** Plain http is believed only from a service that is itself reached over it (a test's). */
export function signedUrl(text: string | null, base: string): URL {
  const url = URL.parse(text ?? '')
  if (url && (url.protocol === 'https:' || (url.protocol === 'http:' && base.startsWith('http:')))) return url
  throw new LifeboatError('GitHub did not say where the artifact can be downloaded', { hint: AGAIN })
}
