import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { userInfo } from 'node:os'
import { type Daemon, type DaemonCommand, startDaemon } from './daemon.ts'

/** An SFTP server that is not OpenSSH's sshd. */
export interface SftpServer extends Daemon {
  user: string
  /** The text of a private key that may sign in. */
  key: string
  /** A line of known_hosts. */
  knownHosts: string
  /** A folder it serves, by its absolute path on the server. */
  files: string
}

interface Given {
  port: number
  folder: string
  /** Its host key, RSA in PEM, which all of them read. */
  hostKey: string
  /** The public key that may sign in. */
  userKey: string
  files: string
}

async function start(name: string, { served = (folder) => path.join(folder, 'files'), user = userInfo().username }: { served?: (folder: string) => string; user?: string }, command: (given: Given) => DaemonCommand): Promise<SftpServer> {
  const daemon = await startDaemon(name, (port, folder) => {
    const [hostKey, userKey, files] = [path.join(folder, 'host'), path.join(folder, 'user'), path.join(folder, 'files')]
    if (!existsSync(hostKey)) {
      execFileSync('ssh-keygen', ['-q', '-N', '', '-C', '', '-t', 'rsa', '-b', '2048', '-m', 'PEM', '-f', hostKey])
      execFileSync('ssh-keygen', ['-q', '-N', '', '-C', '', '-t', 'ed25519', '-f', userKey])
      mkdirSync(files)
    }
    return command({ port, folder, hostKey, userKey: `${userKey}.pub`, files })
  })
  const { folder, port } = daemon
  return { ...daemon, user, key: readFileSync(path.join(folder, 'user'), 'utf8'), knownHosts: `[127.0.0.1]:${port} ${readFileSync(path.join(folder, 'host.pub'), 'utf8').trim()}`, files: served(folder) }
}

/** dropbear, which starts OpenSSH's sftp-server. It looks for keys in the home of the user, which is a folder of its own here (nss_wrapper). */
export function startDropbear(): Promise<SftpServer> {
  return start('dropbear', {}, ({ port, folder, hostKey, userKey }) => {
    const home = path.join(folder, 'home')
    mkdirSync(path.join(home, '.ssh'), { recursive: true, mode: 0o700 })
    writeFileSync(path.join(home, '.ssh/authorized_keys'), readFileSync(userKey), { mode: 0o600 })
    for (const each of [folder, home]) chmodSync(each, 0o700)
    const { username, uid, gid } = userInfo()
    writeFileSync(path.join(folder, 'passwd'), `${username}:x:${uid}:${gid}::${home}:/bin/sh\n`)
    writeFileSync(path.join(folder, 'group'), `${username}:x:${gid}:\n`)
    const own = path.join(folder, 'host.dropbear')
    if (!existsSync(own)) execFileSync('dropbearconvert', ['openssh', 'dropbear', hostKey, own], { stdio: 'ignore' })
    return {
      program: '/usr/sbin/dropbear',
      args: ['-F', '-E', '-s', '-p', `127.0.0.1:${port}`, '-r', own, '-P', path.join(folder, 'pid')],
      variables: { LD_PRELOAD: 'libnss_wrapper.so', NSS_WRAPPER_PASSWD: path.join(folder, 'passwd'), NSS_WRAPPER_GROUP: path.join(folder, 'group') },
    }
  })
}

/** proftpd with mod_sftp, a server of its own. */
export function startProftpd(): Promise<SftpServer> {
  return start('proftpd', { user: 'backup' }, ({ port, folder, hostKey, userKey, files }) => {
    const { uid, gid } = userInfo()
    writeFileSync(path.join(folder, 'passwd'), `backup:*:${uid}:${gid}::${files}:/bin/sh\n`, { mode: 0o600 })
    writeFileSync(path.join(folder, 'group'), `backup:x:${gid}:\n`, { mode: 0o600 })
    writeFileSync(path.join(folder, 'keys'), execFileSync('ssh-keygen', ['-e', '-m', 'RFC4716', '-f', userKey]))
    writeFileSync(
      path.join(folder, 'proftpd.conf'),
      `LoadModule mod_sftp.c
ServerType standalone
DefaultServer on
DefaultAddress 127.0.0.1
Port ${port}
User ${userInfo().username}
Group ${execFileSync('id', ['-gn'], { encoding: 'utf8' }).trim()}
RootLogin on
RequireValidShell off
WtmpLog off
TransferLog none
UseIPv6 off
SystemLog ${folder}/log
PidFile ${folder}/pid
ScoreboardFile ${folder}/scoreboard
DelayEngine off
AuthOrder mod_auth_file.c
AuthUserFile ${folder}/passwd
AuthGroupFile ${folder}/group
AllowOverwrite on
AllowStoreRestart on
<Limit ALL>
  AllowAll
</Limit>
SFTPEngine on
SFTPHostKey ${hostKey}
SFTPAuthMethods publickey
SFTPAuthorizedUserKeys file:${folder}/keys
SFTPLog ${folder}/sftp.log
`,
    )
    return { program: '/usr/sbin/proftpd', args: ['-n', '-q', '-c', path.join(folder, 'proftpd.conf')] }
  })
}

/** rclone, which serves the folder as the root. */
export function startRcloneSftp(): Promise<SftpServer> {
  return start('rclone', { user: 'backup', served: () => '/' }, ({ port, hostKey, userKey, files }) => ({
    program: 'rclone',
    args: ['serve', 'sftp', '--addr', `127.0.0.1:${port}`, '--key', hostKey, '--authorized-keys', userKey, files],
  }))
}
