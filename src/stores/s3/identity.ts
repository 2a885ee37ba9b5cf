import type { Variables } from '../../environment.ts'
import { LifeboatError } from '../../error.ts'
import { request } from '../../net/http.ts'
import { retry } from '../../net/retry.ts'
import { jobToken } from '../workflow-identity.ts'

interface RoleContext {
  variables: Variables
  signal: AbortSignal
  /** Milliseconds. */
  timeout: number
  region: string
  mask: (secret: string) => void
}

/** Temporary credentials of a role, as the SDK takes them: it asks again before they expire. */
export interface RoleCredentials {
  accessKeyId: string
  secretAccessKey: string
  sessionToken: string
  expiration: Date
}

const HINT =
  'The role must trust the identity provider token.actions.githubusercontent.com for this repository (sub) and the audience ' +
    'sts.amazonaws.com; AWS_ROLE_ARN names it.'

/**
 * In a job with `permissions: id-token: write` and with AWS_ROLE_ARN set: exchanges the job's own identity for credentials of that role,
 * and again whenever they run out. Undefined where that is not so, or where other variables say how to get credentials.
 */
export function workflowIdentity(access: RoleContext): (() => Promise<RoleCredentials>) | undefined {
  const {
    AWS_ROLE_ARN: role,
    ACTIONS_ID_TOKEN_REQUEST_URL: url,
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: bearer,
    AWS_WEB_IDENTITY_TOKEN_FILE: file,
    AWS_ACCESS_KEY_ID: key,
  } = access.variables
  if (!role || !url || !bearer || file || key) return undefined
  return async () => assumeRole(role, await jobToken({ url, bearer, audience: 'sts.amazonaws.com' }, access), access)
}

/** AWS Security Token Service, AssumeRoleWithWebIdentity. */
async function assumeRole(
  role: string,
  token: string,
  { variables, signal, timeout, region, mask }: RoleContext,
): Promise<RoleCredentials> {
  const url = new URL(variables['AWS_ENDPOINT_URL_STS'] || `https://sts.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}/`)
  const name = (variables['AWS_ROLE_SESSION_NAME'] || `lifeboat-${variables['GITHUB_RUN_ID'] ?? 'run'}`).slice(0, 64)
  const body = new URLSearchParams({
    Action: 'AssumeRoleWithWebIdentity',
    Version: '2011-06-15',
    RoleArn: role,
    RoleSessionName: name,
    WebIdentityToken: token,
  }).toString()
  const headers = { 'content-type': 'application/x-www-form-urlencoded', accept: 'text/xml' }
  const answer = await retry((silence) => request(url, { method: 'POST', headers, body }, { signal, silence, maximum: 1_000_000 }), {
    signal,
    budget: timeout,
  })
  const xml = answer.body.toString('utf8')
  const [accessKeyId, secretAccessKey, sessionToken, expiration] = ['AccessKeyId', 'SecretAccessKey', 'SessionToken', 'Expiration'].map(
    (tag) => element(xml, tag),
  )
  if (answer.status !== 200 || !accessKeyId || !secretAccessKey || !sessionToken || !expiration) {
    throw new LifeboatError(
      `${url.host} gives this job no credentials of the role ${role}: ` +
        `${element(xml, 'Code') ?? `status ${answer.status}`}${said(element(xml, 'Message'))}`,
      { hint: HINT },
    )
  }
  for (const secret of [secretAccessKey, sessionToken]) mask(secret)
  return { accessKeyId, secretAccessKey, sessionToken, expiration: new Date(expiration) }
}

/** The text of an element that has no other in it and, as all of these, no characters that XML would escape. */
function element(xml: string, tag: string): string | undefined {
  return new RegExp(`<${tag}>([^<]*)</${tag}>`).exec(xml)?.[1]?.trim()
}

function said(message: string | undefined): string {
  return message ? `: ${message}` : ''
}
