import { startS3rver, type S3rver } from '../support/s3rver.ts'
import { destinationOf, openBucket } from '../support/s3-place.ts'
import { storeContract } from './contract.ts'

let server: S3rver
let count = 0
beforeAll(async () => {
  server = await startS3rver(['bucket'])
})
afterAll(() => server.stop())

storeContract('a bucket of s3rver', async () => {
  const destination = { ...destinationOf(server, 'bucket'), prefix: `store-${++count}/` }
  const store = openBucket(destination)
  return { store, reopen: async () => openBucket(destination), close: () => store.close() }
  // A page at most: for the token of a second one it needs a cipher (DES) that OpenSSL 3 does not have.
}, { many: 900, torn: true })
