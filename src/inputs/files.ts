import type { BucketSettings } from '../sources/buckets/settings.ts'
import type { FileBackupSettings, FileRestoreSettings } from '../sources/files/settings.ts'
import { HELPER_IMAGE } from '../sources/volumes/docker.ts'
import type { DockerSettings, FolderSettings } from '../sources/volumes/settings.ts'
import { flagInput } from './display.ts'
import { type Group, group } from './group.ts'
import * as schema from './schemas.ts'

/** Of a backup of volumes, whichever their kind. */
export const fileBackup: Group<FileBackupSettings> = group(
  {
    'on-unreadable': {
      help: 'The reaction to files of a volume that cannot be read: fail, or warn and leave them out.',
      expected: 'fail or warn',
      example: 'warn',
      schema: schema.oneOf('fail', 'warn'),
      default: 'fail',
    },
    rescan: { ...flagInput, help: 'Read every file of the volumes, also those that look unchanged since the backup before.' },
  },
  (values) => ({ onUnreadable: values['on-unreadable'], rescan: values.rescan }),
)

/** Of a restore of a volume, whichever its kind. */
export const fileRestore: Group<FileRestoreSettings> = group(
  {
    paths: {
      help: 'Restore only these files or objects of the volume: patterns of gitignore syntax, one per line.',
      expected: 'patterns as in .gitignore, one per line',
      example: '/2026/*.jpg',
      schema: schema.lines,
      default: '',
      list: true,
    },
  },
  (values) => values,
)

export const folders: Group<FolderSettings> = group(
  {
    owners: {
      help:
        'The owners of the restored files of a volume: number, the users with the same numbers; name, the users with the ' +
        'same names; none, the user who restores. The first two need root.',
      expected: 'number, name or none',
      example: 'none',
      schema: schema.oneOf('number', 'name', 'none'),
      default: 'number',
    },
  },
  (values) => values,
)

export const docker: Group<DockerSettings> = group(
  {
    'docker-image': {
      help: 'The image of the helper container that reads and writes Docker volumes. It must have GNU tar and GNU find.',
      expected: 'the name of an image',
      example: 'registry.example.com/debian:bookworm-slim',
      schema: schema.image,
      default: HELPER_IMAGE,
    },
  },
  (values) => ({ image: values['docker-image'] }),
)

export const bucket: Group<BucketSettings> = group(
  {
    rewrite: { ...flagInput, help: 'Put every object of a bucket back, also those that the target has with the same size and ETag.' },
    'delete-extra': {
      ...flagInput,
      help:
        'Delete the objects of the target bucket that are not in the backup, of those that the volume and paths cover. With ' +
        'mode overwrite.',
    },
  },
  (values) => ({ rewrite: values.rewrite, deleteExtra: values['delete-extra'] }),
)
