import { LifeboatError } from '../error.ts'
import type { S3Destination } from './destinations/s3.ts'
import type { StoreEnvironment } from './open.ts'
import type { Store } from './store.ts'

export function openS3(destination: S3Destination, _options: StoreEnvironment & { timeout: number }): Store {
  throw new LifeboatError(`${destination.text}: not available yet`)
}
