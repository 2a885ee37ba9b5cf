import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { parseKnownHosts } from '../../src/net/ssh/known-hosts.ts'
import { SftpStore } from '../../src/stores/sftp/store.ts'
import type { Store } from '../../src/stores/store.ts'
import { WebdavStore } from '../../src/stores/webdav/store.ts'
import { startSshServer } from './ssh-server.ts'
import { startApache } from './webdav-server.ts'

/** A server for a store that is reached over a line of ours. */
export interface Place {
  /** Of the server itself. */
  port: number
  /** Opens the store through this port. */
  open(port: number): Store
  stop(): Promise<void>
}

/** How long the stores wait: what all kinds of them take. */
export interface Patience {
  timeout: number
  pause?: number
  signal: AbortSignal
}

/** `folder`: where the server keeps the store. */
export type FolderPlace = Place & { folder: string }

export async function webdavPlace(patience: Patience): Promise<FolderPlace> {
  const server = await startApache()
  const { port, user, password, files } = server
  const open = (at: number): Store => new WebdavStore({ text: 'webdav://test', base: `http://127.0.0.1:${at}/dav/store/`, user, password, token: undefined, ...patience })
  return { port, folder: path.join(files, 'store'), open, stop: () => server.stop() }
}

export async function sftpPlace(patience: Patience): Promise<FolderPlace> {
  const server = await startSshServer()
  const { port, user, key, knownHosts } = server
  const access = { key, knownHosts: parseKnownHosts(knownHosts.ed25519.replace(/^\S+/, '127.0.0.1')) }
  const folder = path.join(server.folder, 'store')
  mkdirSync(folder)
  const open = (at: number): Store => new SftpStore({ text: 'sftp://test', target: { user, host: '127.0.0.1', port: at }, access, path: folder, variables: {}, ...patience })
  return { port, folder, open, stop: () => server.stop() }
}
