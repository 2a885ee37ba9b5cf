import { artifactKind } from './artifact/destination.ts'
import { azblobKind } from './azblob/destination.ts'
import { fileKind } from './file/destination.ts'
import type { StoreKind } from './kind.ts'
import { rcloneKind } from './rclone/destination.ts'
import { s3Kind } from './s3/destination.ts'
import { sftpKind } from './sftp/destination.ts'
import { webdavKind } from './webdav/destination.ts'

/** The kinds of stores, in the order in which help names them. A kind is given only destinations that it has parsed itself. */
export const storeKinds: readonly StoreKind[] = [artifactKind, fileKind, s3Kind, azblobKind, sftpKind, webdavKind, rcloneKind]
