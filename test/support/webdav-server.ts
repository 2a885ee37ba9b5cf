import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { startDaemon } from './daemon.ts'

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
  const [user, password, token] = ['backup', 'a pass:word%', 'the.token-of-the-test']
  const daemon = await startDaemon('apache', (port, folder) => {
    mkdirSync(path.join(folder, 'files'), { recursive: true })
    const hashed = execFileSync('openssl', ['dgst', '-sha1', '-binary'], { input: password }).toString('base64')
    writeFileSync(path.join(folder, 'users'), `${user}:{SHA}${hashed}\n`)
    if (tls) makeCertificate(folder)
    // Root gives up its rights to another user, who has to reach the files.
    if (asRoot()) execFileSync('chown', ['-R', 'nobody', folder])
    const config = path.join(folder, 'apache.conf')
    writeFileSync(config, configuration(port, folder, { tls, token }))
    return { program: '/usr/sbin/apache2', args: ['-X', '-f', config] }
  })
  const { port, folder } = daemon
  return { port, user, password, token, files: path.join(folder, 'files'), certificate: path.join(folder, 'certificate.pem'), stop: () => daemon.stop() }
}

function asRoot(): boolean {
  return process.getuid?.() === 0
}

function makeCertificate(folder: string): void {
  const files = ['-keyout', path.join(folder, 'key.pem'), '-out', path.join(folder, 'certificate.pem')]
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1']
  execFileSync('openssl', ['req', '-x509', ...key, '-days', '2', ...names, ...files], { stdio: 'ignore' })
}

function configuration(port: number, folder: string, { tls, token }: { tls: boolean; token: string }): string {
  const files = path.join(folder, 'files')
  const modules = ['mpm_event', 'authn_core', 'authn_file', 'authz_core', 'authz_user', 'auth_basic', 'dav', 'dav_fs', 'alias', 'setenvif', ...(tls ? ['ssl'] : [])]
  return [
    ...modules.map((name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`),
    `ServerRoot ${folder}`,
    'ServerName 127.0.0.1',
    `Listen 127.0.0.1:${port}`,
    // One process (-X) does the work that a server spreads over several.
    'ThreadLimit 128',
    'ThreadsPerChild 128',
    'MaxRequestWorkers 128',
    ...(asRoot() ? ['User nobody', 'Group nogroup'] : []),
    `PidFile ${folder}/pid`,
    `ErrorLog ${folder}/error.log`,
    `Mutex file:${folder}`,
    `DavLockDB ${folder}/locks`,
    ...(tls ? ['SSLEngine on', `SSLCertificateFile ${folder}/certificate.pem`, `SSLCertificateKeyFile ${folder}/key.pem`] : []),
    `Alias /dav ${files}`,
    `Alias /token ${files}`,
    'Redirect 301 /moved/ https://elsewhere.example/dav/',
    `<Location /dav>\nDav On\nAuthType Basic\nAuthName files\nAuthUserFile ${folder}/users\nRequire valid-user\n</Location>`,
    `SetEnvIf Authorization "^Bearer ${token}$" knows_token`,
    '<Location /token>\nDav On\nRequire env knows_token\n</Location>',
    '',
  ].join('\n')
}
