import { destinationOf, newBucket, openBucket } from '../support/s3-place.ts'
import { type Ceph, type CephVersion, startCeph } from '../support/ceph.ts'
import { storeContract } from './contract.ts'
import { type FaultyPlace, httpFaults, type Patience, tcpFaults } from './remote-faults.ts'

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

const faultyBucket = async (): Promise<FaultyPlace> => {
  const ceph = await startCeph()
  const bucket = await newBucket(ceph)
  const open = async (port: number, patience: Patience) => openBucket({ ...destinationOf(ceph, bucket), endpoint: `http://127.0.0.1:${port}` }, patience)
  return { port: Number(new URL(ceph.endpoint).port), open, close: () => ceph.stop() }
}
tcpFaults('a bucket', faultyBucket)
httpFaults('a bucket', { checksums: true }, faultyBucket)
