import { destinationOf, newBucket, openBucket } from '../support/s3-place.ts'
import { type Ceph, type CephVersion, startCeph } from '../support/ceph.ts'
import { storeContract } from './contract.ts'

describe.each<CephVersion>(['current', 'old'])('Ceph, %s', (version) => {
  let ceph: Ceph
  beforeAll(async () => {
    ceph = await startCeph(version)
  }, 60_000)
  afterAll(() => ceph.stop())

  storeContract(`a bucket of Ceph (${version})`, async () => {
    const destination = { ...destinationOf(ceph, await newBucket(ceph)), prefix: 'a/part/' }
    const store = openBucket(destination)
    return { store, reopen: async () => openBucket(destination), close: () => store.close() }
  }, version === 'current' ? 3000 : 1100)
})
