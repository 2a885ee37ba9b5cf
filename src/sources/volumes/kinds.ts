import { fileArchive } from '../files/file-archive.ts'

/** A folder of this machine. */
export const directory = { ...fileArchive, recorded: 'directory' }

/** A Docker volume. */
export const docker = { ...fileArchive, recorded: 'docker' }
