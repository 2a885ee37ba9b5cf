import { artifactKind } from './artifact/kind.ts'
import { azblobKind } from './azblob/kind.ts'
import { fileKind } from './file/kind.ts'
import type { StoreKind } from './kind.ts'
import { rcloneKind } from './rclone/kind.ts'
import { s3Kind } from './s3/kind.ts'
import { sftpKind } from './sftp/kind.ts'
import { webdavKind } from './webdav/kind.ts'

/** The kinds of stores, in the order in which help names them. A kind is given only destinations that it has parsed itself. */
export const storeKinds: readonly StoreKind[] = [artifactKind, fileKind, s3Kind, azblobKind, sftpKind, webdavKind, rcloneKind]
