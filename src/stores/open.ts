import type { Environment } from '../environment.ts'
import { sshAccess, type SshInputs } from '../net/ssh/access.ts'
import { ArtifactStore } from './artifact/store.ts'
import { artifactRetention, daysWanted, grantedDays } from './artifact/retention.ts'
import type { Destination } from './destination.ts'
import { FileStore } from './file/store.ts'
import { disksInMind } from './file/mount.ts'
import type { Store } from './store.ts'

/** What the inputs of a command say of its store. */
export interface StoreInputs extends SshInputs {
  destination: Destination
  /** Undefined looks at every set; a backup has one. */
  set: string | undefined
  token: string | undefined
  'webdav-token'?: string | undefined
  /** Milliseconds. */
  timeout: number
  /** How long snapshots are to be kept; only a backup says. */
  retention?: Parameters<typeof daysWanted>[0]
}

/** What a store needs of the run it is opened for. */
export type StoreEnvironment = Pick<Environment, 'variables' | 'temporary' | 'signal' | 'report' | 'now'>

/** The one place that opens stores. What a service's library weighs is loaded only for its own kind. Nothing is asked of the store yet. */
export async function openStore(inputs: StoreInputs, environment: StoreEnvironment): Promise<Store> {
  const { destination, set, token, timeout, retention = {} } = inputs
  const { variables, temporary, signal, report, now } = environment
  switch (destination.kind) {
    case 'file':
      return new FileStore(destination.path, { mounted: destination.mounted, remembered: disksInMind(variables) })
    case 'artifact':
      return new ArtifactStore({ set, token, timeout, retention: artifactRetention(daysWanted(retention), grantedDays(variables)), variables, temporary, signal, report, now })
    case 's3':
      return (await import('./s3/store.ts')).openS3(destination, { timeout, ...environment })
    case 'azblob':
      return (await import('./azblob/store.ts')).openAzblob(destination, { timeout, ...environment })
    case 'sftp':
      return new (await import('./sftp/store.ts')).SftpStore({ text: destination.text, target: destination, path: destination.path, access: sshAccess(inputs, destination.password), timeout, variables, signal })
    case 'webdav':
    case 'webdavs':
      return new (await import('./webdav/store.ts')).WebdavStore({ ...destination, token: inputs['webdav-token'], timeout, signal })
    case 'rclone':
      return new (await import('./rclone/store.ts')).RcloneStore(destination, { timeout, variables, signal })
    default:
      return destination satisfies never
  }
}
