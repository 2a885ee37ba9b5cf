import { secretsOfUrl } from '../../net/url.ts'
import type { StoreKind } from '../kind.ts'
import { parseSftp, type SftpDestination } from './destination.ts'

export const sftpKind: StoreKind<SftpDestination> = {
  names: ['sftp'],
  help: {
    pattern: 'sftp://USER@HOST/PATH',
    credentials: [
      ['LIFEBOAT_SSH_KEY', 'LIFEBOAT_SSH_KNOWN_HOSTS'],
      ['LIFEBOAT_SSH_KEY', 'LIFEBOAT_SSH_KEY_PASSPHRASE', 'LIFEBOAT_SSH_KNOWN_HOSTS'],
      ['LIFEBOAT_SSH_PASSWORD', 'LIFEBOAT_SSH_KNOWN_HOSTS'],
    ],
  },
  parse: parseSftp,
  secrets: (text) => secretsOfUrl(text, []),
  async open(destination, { ssh, timeout }, { variables, signal }) {
    const { SftpStore } = await import('./store.ts')
    const { text, path, password = ssh?.password } = destination
    // A password in the URL is meant for its host, and takes precedence.
    return new SftpStore({ text, target: destination, path, access: { ...ssh, password }, timeout, variables, signal })
  },
}
