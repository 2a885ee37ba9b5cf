import type { StoreKind } from '../kind.ts'
import { parseS3, type S3Destination, s3Secrets } from './destination.ts'

export const s3Kind: StoreKind<S3Destination> = {
  names: ['s3'],
  help: { pattern: 's3://BUCKET/PREFIX?region=…' },
  parse: parseS3,
  secrets: s3Secrets,
  open: async (destination, { timeout }, environment) => (await import('./store.ts')).openS3(destination, { timeout, ...environment }),
}
