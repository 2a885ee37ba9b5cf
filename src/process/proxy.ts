import https from 'node:https'
import type { Variables } from '../environment.ts'
import { LifeboatError } from '../error.ts'
import { http } from './http.ts'

/**
 * Sends what this process asks for through the proxies that HTTPS_PROXY and HTTP_PROXY name, but for the hosts in NO_PROXY, as GitHub's own
 * clients do. Node's global agents are replaced: `fetch` does not heed them, and a client with agents of its own must be given them.
 */
export function useProxy(variables: Variables): void {
  const [HTTP_PROXY, HTTPS_PROXY] = [proxyOf('http_proxy', variables), proxyOf('https_proxy', variables)]
  if (HTTP_PROXY === undefined && HTTPS_PROXY === undefined) return
  const proxyEnv = { HTTP_PROXY, HTTPS_PROXY, NO_PROXY: exceptions(valueOf('no_proxy', variables) ?? '') }
  // The other options are those of Node's own agents.
  const usual = { keepAlive: true, scheduling: 'lifo', timeout: 5000 } as const
  http.globalAgent = new http.Agent({ ...usual, proxyEnv })
  https.globalAgent = new https.Agent({ ...usual, proxyEnv })
}

function proxyOf(name: string, variables: Variables): string | undefined {
  const value = valueOf(name, variables)
  if (value === undefined) return undefined
  const url = URL.parse(value.includes('://') ? value : `http://${value}`)
  if (url && ['http:', 'https:'].includes(url.protocol)) return url.href
  // Its value may hold a password.
  throw new LifeboatError(`${name.toUpperCase()} does not name a proxy`, {
    hint: 'It should be like http://proxy.example.com:3128.',
    status: 2,
  })
}

function valueOf(name: string, variables: Variables): string | undefined {
  return variables[name] || variables[name.toUpperCase()] || undefined
}

/** A name excepts what lies below it too, and this machine is never reached through a proxy; Node alone would see both otherwise. */
function exceptions(names: string): string {
  const given = names
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
  return [
    ...given,
    ...given.filter((name) => !/^[.*]/.test(name)).map((name) => `.${name}`),
    'localhost',
    '127.0.0.1',
    '[::1]',
    '::1',
  ].join(',')
}
