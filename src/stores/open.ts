import type { Environment } from '../environment.ts'
import type { StoreAccess } from './access.ts'
import { ArtifactStore } from './artifact/store.ts'
import { artifactRetention, grantedDays } from './artifact/retention.ts'
import type { Destination } from './destination.ts'
import { FileStore } from './file/store.ts'
import { disksInMind } from './file/mount.ts'
import type { Store } from './store.ts'

/** What a store needs of the run it is opened for. */
export type StoreEnvironment = Pick<Environment, 'variables' | 'temporary' | 'signal' | 'report' | 'now'>

/** The one place that opens stores. What a service's library weighs is loaded only for its own kind. Nothing is asked of the store yet. */
export async function openStore(destination: Destination, access: StoreAccess, environment: StoreEnvironment): Promise<Store> {
  const { set, token, timeout, ssh, webdavToken, keptDays } = access
  const { variables, temporary, signal, report, now } = environment
  switch (destination.kind) {
    case 'file':
      return new FileStore(destination.path, { mounted: destination.mounted, remembered: disksInMind(variables) })
    case 'artifact':
      return new ArtifactStore({ set, token, timeout, retention: artifactRetention(keptDays, grantedDays(variables)), variables, temporary, signal, report, now })
    case 's3':
      return (await import('./s3/store.ts')).openS3(destination, { timeout, ...environment })
    case 'azblob':
      return (await import('./azblob/store.ts')).openAzblob(destination, { timeout, ...environment })
    case 'sftp':
      // A password in a URL is meant for its host, and takes precedence.
      return new (await import('./sftp/store.ts')).SftpStore({
        text: destination.text,
        target: destination,
        path: destination.path,
        access: { ...ssh, password: destination.password ?? ssh?.password },
        timeout,
        variables,
        signal,
      })
    case 'webdav':
    case 'webdavs':
      return new (await import('./webdav/store.ts')).WebdavStore({ ...destination, token: webdavToken, timeout, signal })
    case 'rclone':
      return new (await import('./rclone/store.ts')).RcloneStore(destination, { timeout, variables, signal })
    default:
      return destination satisfies never
  }
}
