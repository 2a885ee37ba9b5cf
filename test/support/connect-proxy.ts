import http from 'node:http'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { listening } from './free-port.ts'

/** A forward proxy on loopback, as a company has one between its runners and the world. */
export interface ConnectProxy {
  readonly url: string
  /** The requested targets: `host:port`. */
  readonly asked: string[]
  stop(): Promise<void>
}

/**
 * Takes CONNECT to any host that says who it is, and talks TLS in the place of github.test on that connection, whose plain side `accept` gets.
 * Requests for plain http are answered with 418.
 */
export async function startConnectProxy(login: string, accept: (socket: Duplex) => void): Promise<ConnectProxy> {
  const asked: string[] = []
  const open = new Set<Duplex>()
  const server = http.createServer((request, response) => {
    asked.push(new URL(request.url!).host)
    response.writeHead(418).end()
  })
  server.on('connect', (request, socket) => {
    asked.push(request.url!)
    open.add(socket.on('error', () => socket.destroy()).on('close', () => open.delete(socket)))
    if (request.headers['proxy-authorization'] !== `Basic ${Buffer.from(login).toString('base64')}`) {
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nconnection: close\r\n\r\n')
      return
    }
    socket.write('HTTP/1.1 200 Connection Established\r\n\r\n')
    const plain = new TLSSocket(socket, { isServer: true, key: KEY, cert: CERTIFICATE })
    accept(plain.on('error', () => socket.destroy()))
  })
  return {
    url: `http://${login}@127.0.0.1:${await listening(server)}`,
    asked,
    stop: async () => {
      for (const socket of open) socket.destroy()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Of github.test, good until 2120; clients must be told to trust it (NODE_EXTRA_CA_CERTS). The key is no secret. */
export const CERTIFICATE = `\
-----BEGIN CERTIFICATE-----
MIIBejCCASCgAwIBAgIUNpr/D+jK6xmNP3PMXy9GBRNOkw4wCgYIKoZIzj0EAwIw
FjEUMBIGA1UEAwwLZ2l0aHViLnRlc3QwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAx
MDEwMDAwMDBaMBYxFDASBgNVBAMMC2dpdGh1Yi50ZXN0MFkwEwYHKoZIzj0CAQYI
KoZIzj0DAQcDQgAEggq+elVieFSKzrGNhvAYlW03TuXaQHR9FoHFzrpdWD0WZzVu
oM+t9Ia2BhiRBxanFaC0xdXI8URRmo6/tv7BaKNKMEgwFgYDVR0RBA8wDYILZ2l0
aHViLnRlc3QwDwYDVR0TAQH/BAUwAwEB/zAdBgNVHQ4EFgQUs9Y3GEw4gYmdSZiu
JywM0QMr6cQwCgYIKoZIzj0EAwIDSAAwRQIgVVLyRKOyLPvwMp/Pg/dcX0znZECY
i+ErzDVqbCu6guMCIQDO509+4RWzlWE4oqfxHxWHqmzCD2ibsS/GZ8vV+Ke0tw==
-----END CERTIFICATE-----
`
const KEY = `\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg0m/JNZNKsZXZKGSC
tBgXI1mSQzwo8HgOWJJ2yYvYoBGhRANCAASCCr56VWJ4VIrOsY2G8BiVbTdO5dpA
dH0WgcXOul1YPRZnNW6gz630hrYGGJEHFqcVoLTF1cjxRFGajr+2/sFo
-----END PRIVATE KEY-----
`
