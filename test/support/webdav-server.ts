import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from './free-port.ts'

export interface WebdavServer {
  port: number
  user: string
  password: string
  token: string
  /** The folder that it serves under /dav/. */
  files: string
  /** The certificate it shows, which signs itself; only with `tls`. */
  certificate: string
  stop(): Promise<void>
}

const MODULES = '/usr/lib/apache2/modules'

/** Apache's mod_dav on a free port of loopback: /dav/ for user and password, /token/ (the same files) for a bearer token; /moved/ redirects. */
export async function startApache({ tls = false } = {}): Promise<WebdavServer> {
  const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-apache-'))
  // Root gives up its rights to another user, who has to reach the files.
  const asRoot = process.getuid?.() === 0
  const files = path.join(folder, 'files')
  mkdirSync(files)
  const [user, password, token] = ['backup', 'a pass:word%', 'the.token-of-the-test']
  writeFileSync(path.join(folder, 'users'), `${user}:{SHA}${execFileSync('openssl', ['dgst', '-sha1', '-binary'], { input: password }).toString('base64')}\n`)
  const certificate = path.join(folder, 'certificate.pem')
  if (tls) {
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', path.join(folder, 'key.pem'), '-out', certificate], { stdio: 'ignore' })
  }
  if (asRoot) execFileSync('chown', ['-R', 'nobody', folder])
  const modules = ['mpm_event', 'authn_core', 'authn_file', 'authz_core', 'authz_user', 'auth_basic', 'dav', 'dav_fs', 'alias', 'setenvif', ...(tls ? ['ssl'] : [])]

  for (let tries = 1; ; tries++) {
    const port = await freePort()
    const config = path.join(folder, 'apache.conf')
    writeFileSync(
      config,
      [
        ...modules.map((name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`),
        `ServerRoot ${folder}`,
        'ServerName 127.0.0.1',
        `Listen 127.0.0.1:${port}`,
        // One process (-X) has to take what a server spreads over several.
        'ThreadLimit 128',
        'ThreadsPerChild 128',
        'MaxRequestWorkers 128',
        ...(asRoot ? ['User nobody', 'Group nogroup'] : []),
        `PidFile ${folder}/pid`,
        `ErrorLog ${folder}/error.log`,
        `Mutex file:${folder}`,
        `DavLockDB ${folder}/locks`,
        ...(tls ? ['SSLEngine on', `SSLCertificateFile ${certificate}`, `SSLCertificateKeyFile ${folder}/key.pem`] : []),
        `Alias /dav ${files}`,
        `Alias /token ${files}`,
        'Redirect 301 /moved/ https://elsewhere.example/dav/',
        `<Location /dav>\nDav On\nAuthType Basic\nAuthName files\nAuthUserFile ${folder}/users\nRequire valid-user\n</Location>`,
        `SetEnvIf Authorization "^Bearer ${token}$" knows_token`,
        '<Location /token>\nDav On\nRequire env knows_token\n</Location>',
        '',
      ].join('\n'),
    )
    const child = spawn('/usr/sbin/apache2', ['-X', '-f', config], { stdio: ['ignore', 'inherit', 'inherit'], env: { PATH: process.env['PATH'] }, detached: true })
    const stop = async (): Promise<void> => {
      await end(child)
      rmSync(folder, { recursive: true, force: true })
    }
    if (await answers(child, port)) return { port, user, password, token, files, certificate, stop }
    const log = path.join(folder, 'error.log')
    const said = existsSync(log) ? readFileSync(log, 'utf8') : ''
    // Someone else took the port between looking for it and this.
    if (tries < 5 && /Address already in use|could not bind/.test(said)) continue
    await stop()
    throw new Error(`apache2 did not start: ${said}`)
  }
}

async function answers(child: ChildProcess, port: number): Promise<boolean> {
  while (child.exitCode === null && child.signalCode === null) {
    const socket = connect(port, '127.0.0.1')
    const up = await Promise.race([once(socket, 'connect').then(() => true), once(socket, 'error').then(() => false)]).catch(() => false)
    socket.destroy()
    if (up) return true
    await sleep(20)
  }
  return false
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  process.kill(-child.pid!, 'SIGTERM')
  await gone
}
