import { z } from 'zod'
import { LifeboatError } from '../../error.ts'
import { AGAIN, type Answer, request } from '../../net/http.ts'
import { MACHINE, retry, Transient } from '../../net/retry.ts'
import {
  digest, Gone, isOfIntermediary, jsonOf, LARGEST_ANSWER, parsed, type ServiceArtifact, type ServiceContext, signedUrl, time,
} from './github.ts'
import { Allowance, rateLimited } from './rate-limit.ts'

const PER_PAGE = 100
/** So often a list is asked for that has a gap, and milliseconds between. */
const LISTINGS = 3
const PAUSE = 1000

const described = z.object({
  id: z.int().min(1),
  name: z.string(),
  size_in_bytes: z.int().min(0),
  digest: digest.nullish(),
  expired: z.boolean(),
  created_at: time,
  expires_at: time.nullish(),
  workflow_run: z.object({ id: z.int().min(0), repository_id: z.int().nullish(), head_repository_id: z.int().nullish() }).nullish(),
})
type Described = z.infer<typeof described>
const page = z.object({ total_count: z.int().min(0), artifacts: z.array(described) })
const workflowRun = z.object({ status: z.string().nullish() })

interface Listing {
  /** As the first page has it. */
  total: number
  artifacts: Described[]
}

/**
 * The list as it was, with those before it that were added since; undefined unless it must be so: additions come first, and what is deleted
 * is not counted.
 */
function grown(before: Listing, total: number, firstPage: readonly Described[]): Listing | undefined {
  const added = firstPage.findIndex(({ id }) => id === before.artifacts[0]?.id)
  if (added === -1 || total !== before.total + added) return undefined
  const artifacts = [...firstPage.slice(0, added), ...before.artifacts]
  const isIt = firstPage.every(({ id, expired }, index) => id === artifacts[index]?.id && expired === artifacts[index].expired)
  return isIt ? { total, artifacts } : undefined
}

/** Artifacts with a name, or those of a workflow run. */
export interface Which {
  name?: string
  run?: number
}

/** Artifacts of a repository over GitHub's REST API: of every run, for anyone with a token, in a workflow or out of one. */
export class RestApi {
  readonly #access: ServiceContext
  readonly #token: string
  readonly #base: string
  /** By name or run, what was listed last. */
  readonly #listings = new Map<string | number | undefined, Listing>()
  /** GitHub's clock, as of the first answer. */
  began: Date | undefined
  /** The requests that are left. */
  readonly allowance = new Allowance()

  /** Throws when the environment does not say which repository. */
  constructor(token: string, access: ServiceContext) {
    const { GITHUB_REPOSITORY: repository, GITHUB_API_URL: api } = access.variables
    if (!repository || !/^[\w.-]+\/[\w.-]+$/.test(repository)) {
      throw new LifeboatError('the artifacts of which repository? GITHUB_REPOSITORY is not set to owner/name', {
        hint: 'At a terminal, set GITHUB_REPOSITORY=owner/name and GITHUB_TOKEN to a token that may read its actions.',
        status: 2,
      })
    }
    this.#access = access
    this.#token = token
    this.#base = `${(api || 'https://api.github.com').replace(/\/+$/, '')}/repos/${repository}/actions/artifacts`
  }

  /**
   * Those with this name or of this run, or all there are; expired ones left out. Throws when GitHub counts more than it lists, also when
   * asked again: nothing may be concluded from a list with a gap. Of a list that was asked for before, the first page is enough if it tells
   * that nothing was deleted.
   */
  async list(which: Which = {}): Promise<ServiceArtifact[]> {
    const { signal, clock = MACHINE } = this.#access
    const asked = which.name ?? which.run
    for (let tries = 1; ; tries++) {
      const listing = await this.#listOnce(which, this.#listings.get(asked))
      const { total, artifacts } = listing
      // More, if some were added meanwhile.
      if (artifacts.length >= total) {
        this.#listings.set(asked, listing)
        return artifacts.filter(({ expired }) => !expired).map(fromRest)
      }
      if (tries === LISTINGS) {
        const named = asked === undefined ? '' : which.name === undefined ? ` of run ${asked}` : ` ${asked}`
        throw new LifeboatError(`GitHub counts ${total} artifacts${named}, but lists ${artifacts.length}`, {
          hint: 'Nothing was changed. Run it again when no other job adds or deletes artifacts; if it stays, GitHub has a problem.',
        })
      }
      await clock.sleep(PAUSE, signal)
    }
  }

  /**
   * `total`: as the first page has it. New artifacts come before all others and move these on to later pages; one that is deleted moves
   * others to a page that was read already, and they are missing then.
   */
  async #listOnce({ name, run }: Which, before: Listing | undefined): Promise<Listing> {
    const base = run === undefined ? this.#base : this.#base.replace(/artifacts$/, `runs/${run}/artifacts`)
    const found = new Map<number, Described>()
    let total: number | undefined
    for (let number = 1; ; number++) {
      const query = new URLSearchParams({ per_page: `${PER_PAGE}`, page: `${number}`, ...(name !== undefined && { name }) })
      const { total_count, artifacts } = await this.#json(new URL(`${base}?${query.toString()}`), page)
      total ??= total_count
      const known = found.size
      for (const artifact of artifacts) found.set(artifact.id, artifact)
      const same = number === 1 && before && grown(before, total, artifacts)
      if (same) return same
      // The last page may be a full one; the total may be too low.
      if (artifacts.length < PER_PAGE) return { total, artifacts: [...found.values()] }
      if (found.size === known) {
        throw new LifeboatError(`GitHub answers page ${number} of a list of artifacts with those of earlier pages`, {
          hint: 'Nothing was changed. Run it again; if it stays, GitHub or a proxy before it has a problem.',
        })
      }
    }
  }

  /** Undefined when there is none with this id. Asks nothing if a list has had it: what is described of an artifact does not change. */
  async get(id: number): Promise<ServiceArtifact | undefined> {
    const listed = [...this.#listings.values()].flatMap(({ artifacts }) => artifacts).find((one) => one.id === id)
    if (listed) return fromRest(listed)
    const answer = await this.#call('GET', new URL(`${this.#base}/${id}`))
    return answer.status === 404 ? undefined : fromRest(parsed(answer, described))
  }

  /** Where the zip file can be read for a minute at least, without the token. */
  async location({ id, name }: ServiceArtifact): Promise<URL> {
    const answer = await this.#call('GET', new URL(`${this.#base}/${id}/zip`))
    if (answer.status === 404 || answer.status === 410) throw new Gone(name, id)
    return signedUrl(answer.headers.get('location'), this.#base)
  }

  /** Needs `actions: write`: false when the token may not. One that is gone already counts as deleted. */
  async delete(id: number): Promise<boolean> {
    const answer = await this.#call('DELETE', new URL(`${this.#base}/${id}`), [403])
    return answer.status !== 403
  }

  /** Whether a workflow run goes on. One that is not there any more does not. */
  async isRunning(run: number): Promise<boolean> {
    const answer = await this.#call('GET', new URL(this.#base.replace(/artifacts$/, `runs/${run}`)))
    return answer.status !== 404 && parsed(answer, workflowRun).status !== 'completed'
  }

  async #json<T>(url: URL, schema: z.ZodType<T>): Promise<T> {
    const answer = await this.#call('GET', url)
    if (answer.status === 404) {
      throw new LifeboatError(`GitHub knows no repository ${this.#access.variables['GITHUB_REPOSITORY']}, or the token may not see it`, {
        hint: PERMISSION,
      })
    }
    return parsed(answer, schema)
  }

  /** Answers 2xx, 302, 404 and 410; everything else is an error that says what to do. */
  #call(method: string, url: URL, also: number[] = []): Promise<Answer> {
    const { signal, timeout, clock } = this.#access
    const headers = {
      accept: 'application/vnd.github+json',
      authorization: `Bearer ${this.#token}`,
      'x-github-api-version': '2022-11-28',
      'user-agent': 'lifeboat',
    }
    let limited = 0
    return retry(
      async (limit) => {
        const answer = await request(url, { method, headers }, { signal, silence: limit, maximum: LARGEST_ANSWER, final: [429] })
        const { status } = answer
        this.allowance.note(answer)
        const time = Date.parse(answer.headers.get('date') ?? '')
        if (!Number.isNaN(time)) this.began ??= new Date(time)
        const wait = rateLimited(answer, limited)
        if (wait) {
          limited++
          throw wait
        }
        if (status === 403 && isOfIntermediary(answer.body.toString('utf8'))) {
          throw new Transient(`something between here and ${url.host} refused ${method} ${url.pathname} (status 403)`, { hint: AGAIN })
        }
        if ((status >= 200 && status < 300) || [302, 404, 410, ...also].includes(status)) {
          if (status === 200) jsonOf(answer)
          return answer
        }
        if (status === 401) {
          throw new LifeboatError('GitHub refuses the token: it is wrong or has expired (status 401)', { hint: PERMISSION })
        }
        if (status === 403) {
          throw new LifeboatError('the token may not read the artifacts of this repository (status 403)', { hint: PERMISSION })
        }
        throw new LifeboatError(`${url.host} answered with status ${status} to ${method} ${url.pathname}`, { hint: AGAIN })
      },
      { signal, budget: timeout, clock },
    )
  }
}

const PERMISSION =
  'In a workflow, give the job `permissions: actions: read`; at a terminal, a token with read access to Actions.'

function fromRest({ id, name, size_in_bytes, digest, created_at, expires_at, workflow_run }: Described): ServiceArtifact {
  const expires = expires_at ? new Date(expires_at) : undefined
  return {
    id,
    name,
    size: size_in_bytes,
    digest: digest ?? undefined,
    created: new Date(created_at),
    expires,
    run: workflow_run?.id,
    foreign: isForeign(workflow_run),
  }
}

/** Of a fork that was deleted since, no id may be left. Where a server tells neither id, the signature of parts.json has to do. */
function isForeign(run: Described['workflow_run']): boolean {
  return (run?.head_repository_id ?? undefined) !== (run?.repository_id ?? undefined)
}
