/** The issues of a repository and the states of its workflows, as GitHub's REST API tells and changes them. */
export interface StoredIssue {
  number: number
  title: string
  body: string
  state: 'open' | 'closed'
  state_reason?: string
  user: { login: string; type: 'Bot' | 'User' }
  author_association: string
  pull_request?: object
}

export class Issues {
  readonly issues: StoredIssue[] = []
  readonly workflows: { name: string; path: string; state: string }[] = []
  /** The repository's settings. */
  enabled = true

  open(): StoredIssue[] {
    return this.issues.filter(({ state }) => state === 'open')
  }

  add(given: Partial<StoredIssue>): StoredIssue {
    const issue: StoredIssue = { number: this.issues.length + 1, title: '', body: '', state: 'open', user: { login: 'github-actions[bot]', type: 'Bot' }, author_association: 'NONE', ...given }
    this.issues.push(issue)
    return issue
  }

  /** `path` follows `/repos/<owner>/<name>`; undefined for any other path. */
  answer(method: string, path: string, query: URLSearchParams, content: string, may: { issues: boolean }): { status: number; body?: object } | undefined {
    if (path === '/actions/workflows' && method === 'GET') return { status: 200, body: { total_count: this.workflows.length, workflows: this.workflows.map((workflow, index) => ({ id: index + 1, ...workflow })) } }
    const [, number] = /^\/issues(?:\/(\d+))?$/.exec(path) ?? []
    if (!path.startsWith('/issues')) return undefined
    if (!this.enabled) return { status: 410, body: { message: 'Issues are disabled for this repo' } }
    if (method !== 'GET' && !may.issues) return { status: 403, body: { message: 'Resource not accessible by integration' } }
    if (number === undefined && method === 'GET') {
      const size = Number(query.get('per_page') ?? 30)
      const start = (Number(query.get('page') ?? 1) - 1) * size
      const matching = this.issues.filter(({ state }) => query.get('state') === 'all' || state === (query.get('state') ?? 'open')).toReversed()
      return { status: 200, body: matching.slice(start, start + size).map(described) }
    }
    if (number === undefined && method === 'POST') return { status: 201, body: described(this.add(JSON.parse(content))) }
    const issue = this.issues.find((one) => `${one.number}` === number)
    if (!issue || method !== 'PATCH') return { status: 404, body: { message: 'Not Found' } }
    return { status: 200, body: described(Object.assign(issue, JSON.parse(content))) }
  }
}

function described(issue: StoredIssue): object {
  return { ...issue, html_url: `https://github.com/octo/shop/issues/${issue.number}` }
}
