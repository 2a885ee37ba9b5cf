import type { StoreKind } from '../kind.ts'
import { parseS3, type S3Destination, s3Secrets } from './destination.ts'

export const s3Kind: StoreKind<S3Destination> = {
  names: ['s3'],
  help: {
    pattern: 's3://BUCKET/PREFIX?region=…',
    credentials: [['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']],
    settings: ['AWS_REGION'],
  },
  parse: parseS3,
  secrets: s3Secrets,
  open: async (destination, { timeout }, environment) => (await import('./store.ts')).openS3(destination, { timeout, ...environment }),
}
