import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import type { Variables } from '../../environment.ts'
import { LifeboatError } from '../../error.ts'
import { request } from '../../net/http.ts'
import { retry } from '../../net/retry.ts'
import { jobToken } from '../workflow-identity.ts'

interface TokenContext {
  variables: Variables
  signal: AbortSignal
  /** Milliseconds. */
  timeout: number
  mask: (secret: string) => void
}

const AUDIENCE = 'api://AzureADTokenExchange'
/** Milliseconds before its end at which a token is no longer used. */
const RESERVE = 300_000

const granted = z.object({ access_token: z.string().min(1), expires_in: z.number().min(0) })
const refused = z.object({ error_description: z.string() })

/**
 * With AZURE_CLIENT_ID and AZURE_TENANT_ID set: exchanges a federated token, of the file AZURE_FEDERATED_TOKEN_FILE or of a job with
 * `permissions: id-token: write`, for one of Azure Storage, and again whenever it runs out. Undefined where that is not so. (Microsoft
 * identity platform, "Access token request with a federated credential".)
 */
export function federatedToken(access: TokenContext): (() => Promise<string>) | undefined {
  const {
    AZURE_CLIENT_ID: client,
    AZURE_TENANT_ID: tenant,
    AZURE_FEDERATED_TOKEN_FILE: file,
    ACTIONS_ID_TOKEN_REQUEST_URL: url,
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: bearer,
  } = access.variables
  if (!client || !tenant || !(file || (url && bearer))) return undefined
  let current: { token: string; until: number } | undefined
  let asked: Promise<string> | undefined
  const renew = async (): Promise<string> => {
    const assertion = file
      ? (await readFile(file, 'utf8')).trim()
      : await jobToken({ url: url!, bearer: bearer!, audience: AUDIENCE }, access)
    const { access_token: token, expires_in: seconds } = await exchange(client, tenant, assertion, access)
    current = { token, until: Date.now() + seconds * 1000 - RESERVE }
    return token
  }
  return async () => {
    if (current && Date.now() < current.until) return current.token
    // Requests at the same time wait for the same token.
    asked ??= renew().finally(() => (asked = undefined))
    return asked
  }
}

async function exchange(
  client: string,
  tenant: string,
  assertion: string,
  { variables, signal, timeout, mask }: TokenContext,
): Promise<z.infer<typeof granted>> {
  const authority = variables['AZURE_AUTHORITY_HOST'] || 'https://login.microsoftonline.com'
  const url = new URL(`${authority.replace(/\/+$/, '')}/${encodeURIComponent(tenant)}/oauth2/v2.0/token`)
  const body = new URLSearchParams({
    client_id: client,
    scope: 'https://storage.azure.com/.default',
    grant_type: 'client_credentials',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
  }).toString()
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const answer = await retry((silence) => request(url, { method: 'POST', headers, body }, { signal, silence, maximum: 1_000_000 }), {
    signal,
    budget: timeout,
  })
  const told = jsonOf(answer.body)
  const parsed = answer.status === 200 ? granted.safeParse(told) : undefined
  if (!parsed?.success) {
    const reason = refused.safeParse(told).data?.error_description.split('\r\n')[0] ?? `status ${answer.status}`
    throw new LifeboatError(`${url.host} gives no token of Azure Storage to the client ${client}: ${reason}`, {
      hint:
        'The application AZURE_CLIENT_ID needs a federated credential for this repository and branch, and the role Storage Blob Data ' +
        'Contributor on the container.',
    })
  }
  mask(parsed.data.access_token)
  return parsed.data
}

function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    // The caller reports that there is no token in it.
    return undefined
  }
}
