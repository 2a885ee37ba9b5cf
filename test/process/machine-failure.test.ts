import { readFileSync } from 'node:fs'
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { isMachineFailure, MachineFailure } from '../../src/process/machine-failure.ts'

const frame = zstdCompressSync(Buffer.alloc(100_000, 'x'))
const changed = Buffer.from(frame)
changed[8]! ^= 0xff

function thrown(work: () => unknown): unknown {
  try {
    return work()
  } catch (error) {
    return error
  }
}

test('an error of the machine is told apart from one of the bytes', () => {
  const ofMachine = [
    () => Buffer.allocUnsafeSlow(2 ** 46),
    () => new Uint8Array(2 ** 40),
    () => zstdDecompressSync(frame, { chunkSize: 2 ** 46 }),
    () => readFileSync('/dev/null/nothing'),
  ]
  expect(ofMachine.map((work) => isMachineFailure(thrown(work)))).toEqual(ofMachine.map(() => true))
  const ofBytes = [
    () => zstdDecompressSync(changed),
    () => zstdDecompressSync(frame.subarray(0, -2)),
    () => zstdDecompressSync(frame, { maxOutputLength: 10 }),
    () => Buffer.alloc(2).readUInt32LE(0),
    () => JSON.parse('{'),
  ]
  expect(ofBytes.map((work) => isMachineFailure(thrown(work)))).toEqual(ofBytes.map(() => false))
  expect(isMachineFailure(new MachineFailure('no thread'))).toBe(true)
})
