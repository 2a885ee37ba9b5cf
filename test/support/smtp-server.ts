import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import path from 'node:path'
import { createServer as createTlsServer, TLSSocket } from 'node:tls'
import { listening } from './free-port.ts'

export interface Certificates {
  /** File with the certificate of the authority. */
  authority: string
  key: Buffer
  certificate: Buffer
}

/** A certificate authority, and a certificate of it for localhost and 127.0.0.1, in a folder. */
export function makeCertificates(folder: string): Certificates {
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' })
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'] as const
  openssl('req', '-x509', ...newKey, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=test authority')
  openssl('req', '-new', ...newKey.slice(0, 5), '-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=localhost')
  writeFileSync(path.join(folder, 'names'), 'subjectAltName=DNS:localhost,IP:127.0.0.1')
  openssl('x509', '-req', '-in', 'server.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'names', '-out', 'server.pem')
  rmSync(path.join(folder, 'server.csr'))
  const read = (name: string): Buffer => readFileSync(path.join(folder, name))
  return { authority: path.join(folder, 'ca.pem'), key: read('server.key'), certificate: read('server.pem') }
}

export interface Mail {
  from: string
  to: string[]
  data: string
  /** User and password, decoded. */
  login: string
  encrypted: boolean
}

/** An SMTP server on loopback (RFC 5321, 3207, 4954): with TLS from the start, with STARTTLS, or without. */
export interface SmtpServer {
  readonly port: number
  readonly mails: Mail[]
  /** Every command that came before TLS. */
  readonly inTheClear: string[]
  /** The answer to a command that begins so, in place of the usual one. */
  readonly answers: Map<string, string>
  connections: number
  close(): Promise<void>
}

export async function startSmtpServer(mode: 'tls' | 'starttls' | 'plain', { key, certificate }: Certificates): Promise<SmtpServer> {
  const options = { key, cert: certificate }
  const sockets = new Set<Socket>()
  const accept = (socket: Socket, encrypted: boolean): void => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => undefined)
    server.connections++
    converse(socket, encrypted, true)
  }
  const converse = (socket: Socket, encrypted: boolean, greets: boolean): void => {
    let [pending, receiving]: [string, boolean] = ['', false]
    const mail: Mail = { from: '', to: [], data: '', login: '', encrypted }
    const say = (line: string): void => void socket.write(`${line}\r\n`)
    const lines = (bytes: Buffer): void => {
      pending += bytes.toString('latin1')
      for (let end = pending.indexOf('\r\n'); end >= 0; end = pending.indexOf('\r\n')) {
        const line = pending.slice(0, end)
        pending = pending.slice(end + 2)
        take(line)
      }
    }
    const take = (line: string): void => {
      if (receiving) {
        if (line !== '.') {
          mail.data += `${line.replace(/^\./, '')}\r\n`
          return
        }
        receiving = false
        server.mails.push({ ...mail, data: Buffer.from(mail.data, 'latin1').toString('utf8') })
        say('250 taken')
        return
      }
      if (!encrypted) server.inTheClear.push(line)
      const fixed = [...server.answers].find(([start]) => line.startsWith(start))?.[1]
      if (fixed !== undefined) return say(fixed)
      if (line.startsWith('EHLO')) {
        return say(['250-localhost', ...(mode === 'starttls' && !encrypted ? ['250-STARTTLS'] : []), '250 AUTH PLAIN'].join('\r\n'))
      }
      if (line === 'STARTTLS' && mode !== 'starttls') return say('502 not here')
      if (line === 'STARTTLS') {
        say('220 go ahead')
        socket.off('data', lines)
        const secured = new TLSSocket(socket, { isServer: true, ...options })
        secured.on('error', () => undefined)
        converse(secured, true, false)
        return
      }
      if (line.startsWith('AUTH PLAIN ')) {
        mail.login = Buffer.from(line.slice('AUTH PLAIN '.length), 'base64').toString('utf8').split('\0').slice(1).join(':')
        return say('235 welcome')
      }
      if (line.startsWith('MAIL FROM:')) mail.from = /<(.*?)>/.exec(line)?.[1] ?? ''
      if (line.startsWith('RCPT TO:')) mail.to.push(/<(.*?)>/.exec(line)?.[1] ?? '')
      if (line === 'DATA') {
        receiving = true
        return say('354 go on')
      }
      if (line === 'QUIT') {
        say('221 bye')
        socket.end()
        return
      }
      say('250 ok')
    }
    socket.on('data', lines)
    if (greets) say('220 localhost ready')
  }
  const listener = mode === 'tls' ? createTlsServer(options, (socket) => accept(socket, true)) : createServer((socket) => accept(socket, false))
  if (mode === 'tls') listener.on('tlsClientError', () => undefined)
  const port = await listening(listener)
  const server: SmtpServer = {
    port, mails: [], inTheClear: [], answers: new Map(), connections: 0,
    async close() {
      for (const socket of sockets) socket.destroy()
      listener.close()
      await once(listener, 'close')
    },
  }
  return server
}
