import { fileArchive } from '../files/file-archive.ts'

/** A bucket of an S3 service, or the part of it with a prefix. */
export const bucket = { ...fileArchive, recorded: 'bucket' }
