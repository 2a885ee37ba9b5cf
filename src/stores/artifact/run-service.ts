import { z } from 'zod'
import { LifeboatError } from '../../error.ts'
import { AGAIN, request } from '../../net/http.ts'
import { retry, Transient } from '../../net/retry.ts'
import { digest, isOfIntermediary, LARGEST_ANSWER, parsed, type ServiceArtifact, type ServiceContext, signedUrl, time } from './github.ts'

const ownArtifacts = z.object({
  artifacts: z
    .array(
      z.object({
        workflow_run_backend_id: z.string(),
        workflow_job_run_backend_id: z.string(),
        database_id: z.string().regex(/^[1-9]\d{0,15}$/),
        name: z.string(),
        size: z.string().regex(/^\d{1,15}$/),
        created_at: time,
        digest: digest.nullish(),
      }),
    )
    .default([]),
})
const ownLocation = z.object({ signed_url: z.string() })

/** The artifacts of this very run, over the service that the artifact client talks to; the token every step gets is enough. */
export class RunService {
  readonly #access: ServiceContext
  readonly #base: string
  readonly #token: string
  readonly #run: { workflow_run_backend_id: string; workflow_job_run_backend_id: string }
  readonly #run_id: number | undefined

  constructor(access: ServiceContext, url: string, token: string) {
    this.#access = access
    this.#token = token
    this.#base = `${new URL(url).origin}/twirp/github.actions.results.api.v1.ArtifactService`
    this.#run = runOf(token)
    this.#run_id = Number(access.variables['GITHUB_RUN_ID']) || undefined
  }

  /** Undefined outside of a workflow. */
  static of(access: ServiceContext): RunService | undefined {
    const { ACTIONS_RESULTS_URL: url, ACTIONS_RUNTIME_TOKEN: token } = access.variables
    return url && token ? new RunService(access, url, token) : undefined
  }

  async list(): Promise<ServiceArtifact[]> {
    const { artifacts } = await this.#call('ListArtifacts', {}, ownArtifacts)
    return artifacts.map(({ database_id, name, size, digest, created_at }) => ({
      id: Number(database_id),
      name,
      size: Number(size),
      digest: digest ?? undefined,
      created: new Date(created_at),
      expires: undefined,
      run: this.#run_id,
      foreign: false,
    }))
  }

  async location({ name }: ServiceArtifact): Promise<URL> {
    const { signed_url } = await this.#call('GetSignedArtifactURL', { name }, ownLocation)
    return signedUrl(signed_url, this.#base)
  }

  #call<T>(method: string, content: object, schema: z.ZodType<T>): Promise<T> {
    const { signal, timeout } = this.#access
    const headers = { authorization: `Bearer ${this.#token}`, 'content-type': 'application/json', 'user-agent': 'lifeboat' }
    const body = JSON.stringify({ ...this.#run, ...content })
    return retry(
      async (limit) => {
        const answer = await request(
          new URL(`${this.#base}/${method}`),
          { method: 'POST', headers, body },
          { signal, silence: limit, maximum: LARGEST_ANSWER },
        )
        if (answer.status === 403 && isOfIntermediary(answer.body.toString('utf8'))) {
          throw new Transient(`something between here and GitHub's artifact service refused ${method} (status 403)`, { hint: AGAIN })
        }
        if (answer.status !== 200) {
          throw new LifeboatError(`GitHub's artifact service answered with status ${answer.status} to ${method}`, { hint: REFUSED })
        }
        return parsed(answer, schema)
      },
      { signal, budget: timeout },
    )
  }
}

/** When the token of a run is not taken. */
export const REFUSED =
  'Was the run cancelled, or does its token belong to another run? If not, check the `permissions` of the job and what the settings of ' +
  'the repository allow to Actions. Then run the workflow again.'

/** The ids of run and job inside the runtime token (a JWT, RFC 7519); the service checks its signature. */
function runOf(token: string): { workflow_run_backend_id: string; workflow_job_run_backend_id: string } {
  const claims = z.object({ scp: z.string() })
  try {
    const { scp } = claims.parse(JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8')))
    const [, run, job] = scp
      .split(' ')
      .find((scope) => scope.startsWith('Actions.Results:'))!
      .split(':')
    return { workflow_run_backend_id: run!, workflow_job_run_backend_id: job! }
  } catch (cause) {
    throw new LifeboatError('ACTIONS_RUNTIME_TOKEN is not a token of a workflow run', { cause })
  }
}
