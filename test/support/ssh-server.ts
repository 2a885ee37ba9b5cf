import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import path from 'node:path'
import { listening } from './free-port.ts'

export interface SshServer {
  port: number
  user: string
  /** The text of a private key that may sign in. */
  key: string
  /** Lines of known_hosts: its host keys, of each kind one. */
  knownHosts: { ed25519: string; rsa: string }
  /** A folder of its own for files and keys, removed in the end. */
  folder: string
  /** Its log so far. */
  log(): string
  /** Ends every connection there is, as when the network goes. */
  cut(): Promise<void>
  stop(): Promise<void>
}

const sshd = '/usr/sbin/sshd'

/**
 * OpenSSH's sshd on a free port of loopback, for the user this runs as: each connection is handed to an sshd of its own, as inetd does.
 * `sftp`: options of the SFTP server, `-P posix-rename,fsync` for instance; false has none.
 */
export async function startSshServer({ sftp = '', settings = [] }: { sftp?: string | false; settings?: string[] } = {}): Promise<SshServer> {
  const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-sshd-'))
  const newKey = (name: string, ...options: string[]): string => {
    const file = path.join(folder, name)
    execFileSync('ssh-keygen', ['-q', '-N', '', '-C', '', '-f', file, ...options])
    return file
  }
  const hostKeys = { ed25519: newKey('host-ed25519', '-t', 'ed25519'), rsa: newKey('host-rsa', '-t', 'rsa', '-b', '2048') }
  const key = newKey('user', '-t', 'ed25519')
  const config = path.join(folder, 'sshd_config')
  writeFileSync(
    config,
    [
      ...Object.values(hostKeys).map((file) => `HostKey ${file}`),
      `AuthorizedKeysFile ${key}.pub`,
      'UsePAM no',
      'StrictModes no',
      'PermitRootLogin yes',
      'PidFile none',
      'LogLevel VERBOSE',
      // Else bash reads the .bashrc of whoever runs the tests, for each command: 0.2 s with pyenv.
      `SetEnv HOME=${folder}`,
      ...(sftp === false ? [] : [`Subsystem sftp internal-sftp ${sftp}`]),
      ...settings,
      '',
    ].join('\n'),
  )
  // Without it sshd does not start as root; the system's service makes it as well.
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 })

  const children = new Set<ChildProcess>()
  let log = ''
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    const child = spawn(sshd, ['-i', '-e', '-f', config], { stdio: [socket, socket, 'pipe'], env: { PATH: process.env['PATH'] }, detached: true })
    children.add(child)
    child.stderr.on('data', (text: Buffer) => (log += String(text)))
    child.on('exit', () => children.delete(child))
    // The child has it now; ours is a second handle of the same connection.
    socket.destroy()
  })
  const port = await listening(server)
  const known = (file: string): string => `[127.0.0.1]:${port} ${readFileSync(`${file}.pub`, 'utf8').trim()}`

  const cut = async (): Promise<void> => {
    await Promise.all(
      [...children].map(async (child) => {
        const gone = once(child, 'exit')
        // Its group: the part that runs as the user is a process of its own.
        process.kill(-child.pid!, 'SIGKILL')
        await gone
      }),
    )
  }
  return {
    port,
    user: userInfo().username,
    key: readFileSync(key, 'utf8'),
    knownHosts: { ed25519: known(hostKeys.ed25519), rsa: known(hostKeys.rsa) },
    folder,
    log: () => log,
    cut,
    stop: async () => {
      server.close()
      await cut()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
