import { z } from 'zod'
import { LifeboatError } from '../error.ts'
import { marked } from '../marks.ts'
import { type Answer, request } from '../net/http.ts'
import { retry, Transient } from '../net/retry.ts'

/** The repository of a run, and how it is reached on GitHub. */
export interface RepositoryAccess {
  /** `owner/name`. */
  repository: string
  /** Default: `https://api.github.com`. */
  api: string | undefined
  token: string
  signal: AbortSignal
  /** Milliseconds that a call may take with all its retries. */
  timeout: number
}

const LARGEST_ANSWER = 16 * 1024 * 1024
const PER_PAGE = 100
/** Open issues looked at, newest first. */
const MOST_PAGES = 50

const issueSchema = z.object({
  number: z.int().min(1),
  html_url: z.string(),
  body: z.string().nullish(),
  user: z.object({ type: z.string() }).nullish(),
  author_association: z.string().optional(),
  /** GitHub lists pull requests among the issues. */
  pull_request: z.unknown().optional(),
})
const workflowSchema = z.object({ name: z.string(), path: z.string(), state: z.string() })

export interface Issue {
  number: number
  url: string
}

/** The issues, workflows and attestations of a repository, over GitHub's REST API. */
export class GitHubRepository {
  readonly #access: RepositoryAccess
  readonly #base: string

  constructor(access: RepositoryAccess) {
    this.#access = access
    this.#base = `${(access.api || 'https://api.github.com').replace(/\/+$/, '')}/repos/${access.repository}`
  }

  /** Makes sure that there is one open issue with this marker in its text: opens it, or gives it the text. Needs `issues: write`. */
  openIssue(marker: string, title: string, body: string): Promise<Issue & { opened: boolean }> {
    const text = `${marker}\n${body}`
    // A lost answer may have been that of an issue that was opened: so before each try it is looked for.
    return this.#retried(async (limit) => {
      const found = await this.#findIssue(marker, limit)
      const { number, html_url } = found
        ? parsed(await this.#call('PATCH', `/issues/${found.number}`, limit, { content: { body: text } }), issueSchema)
        : parsed(await this.#call('POST', '/issues', limit, { content: { title, body: text } }), issueSchema)
      return { number, url: html_url, opened: !found }
    })
  }

  /** Closes the open issue with this marker; undefined when there is none. */
  closeIssue(marker: string, body: string): Promise<Issue | undefined> {
    return this.#retried(async (limit) => {
      const found = await this.#findIssue(marker, limit)
      if (!found) return undefined
      await this.#call('PATCH', `/issues/${found.number}`, limit, {
        content: { body: `${marker}\n${body}`, state: 'closed', state_reason: 'completed' },
      })
      return { number: found.number, url: found.html_url }
    })
  }

  /**
   * Names and files of the workflows that GitHub has switched off because nothing happened in the repository for 60 days. Needs `actions:
   * read`.
   */
  inactiveWorkflows(): Promise<{ name: string; path: string }[]> {
    return this.#retried(async (limit) => {
      const { workflows } = parsed(
        await this.#call('GET', `/actions/workflows?per_page=${PER_PAGE}`, limit),
        z.object({ workflows: z.array(workflowSchema) }),
      )
      return workflows.filter(({ state }) => state === 'disabled_inactivity').map(({ name, path }) => ({ name, path }))
    })
  }

  /** Adds a Sigstore bundle to the attestations of the repository. Needs `attestations: write`. */
  async addAttestation(bundle: object): Promise<void> {
    const hint = 'Give the job `permissions: attestations: write`. Private repositories need GitHub Enterprise Cloud for attestations.'
    await this.#retried((limit) => this.#call('POST', '/attestations', limit, { content: { bundle }, hint }))
  }

  async #findIssue(marker: string, limit: number): Promise<z.infer<typeof issueSchema> | undefined> {
    for (let page = 1; page <= MOST_PAGES; page++) {
      const issues = parsed(await this.#call('GET', `/issues?state=open&per_page=${PER_PAGE}&page=${page}`, limit), z.array(issueSchema))
      const found = issues.find((issue) => issue.pull_request === undefined && issue.body?.startsWith(marker) && isTrusted(issue))
      if (found || issues.length < PER_PAGE) return found
    }
    return undefined
  }

  #retried<T>(attempt: (limit: number) => Promise<T>): Promise<T> {
    return retry(attempt, { signal: this.#access.signal, budget: this.#access.timeout })
  }

  /** `hint`: for a token that may not do it. */
  async #call(
    method: string, path: string, limit: number, { content, hint = PERMISSION }: { content?: object; hint?: string } = {},
  ): Promise<Answer> {
    const { token, signal, repository } = this.#access
    const headers = {
      accept: 'application/vnd.github+json',
      authorization: `Bearer ${token}`,
      'x-github-api-version': '2022-11-28',
      'user-agent': 'lifeboat',
      'content-type': 'application/json',
    }
    const url = new URL(this.#base + path)
    const answer = await request(
      url,
      { method, headers, ...(content && { body: JSON.stringify(content) }) },
      { signal, silence: limit, maximum: LARGEST_ANSWER },
    )
    const { status } = answer
    if (status >= 200 && status < 300) return answer
    if (status === 410) {
      throw new LifeboatError(`the repository ${repository} has no issues: they are switched off`, {
        hint: 'Switch them on in its settings, or leave issue out.',
      })
    }
    if ([401, 403, 404].includes(status)) {
      throw new LifeboatError(`the token may not ${method === 'GET' ? 'read' : 'write'} ${url.pathname} on GitHub (status ${status})`, {
        hint,
      })
    }
    throw new LifeboatError(`${url.host} answered with status ${status} to ${method} ${url.pathname}`)
  }
}

const PERMISSION = marked`Give the job \`permissions: issues: write\` (for ‹issue: true›) and \`actions: read\`.`

/**
 * In a public repository anyone can open an issue with any text: one that a stranger opened must not keep the real one from being opened.
 */
function isTrusted({ user, author_association }: z.infer<typeof issueSchema>): boolean {
  return user?.type === 'Bot' || ['OWNER', 'MEMBER', 'COLLABORATOR'].includes(author_association ?? '')
}

function parsed<T>({ body }: Answer, schema: z.ZodType<T>): T {
  let json: unknown
  try {
    json = JSON.parse(body.toString('utf8'))
  } catch (cause) {
    throw new Transient('GitHub answered with something that is not JSON', { cause })
  }
  const result = schema.safeParse(json)
  if (result.success) return result.data
  throw new LifeboatError(`GitHub's answer is not what it should be: ${z.prettifyError(result.error)}`)
}
