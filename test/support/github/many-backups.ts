import { randomBytes } from 'node:crypto'
import { authenticatorOf } from '../../../src/repository/authenticator.ts'
import { writeProof } from '../../../src/repository/proofs.ts'
import { chunkId, chunkSum } from '../../../src/repository/sums.ts'
import { encrypt } from '../../../src/repository/sealing/age.ts'
import { compress } from '../../../src/repository/sealing/zstd.ts'
import { chunkKey, encodeSnapshot, newSnapshotId, snapshotKey } from '../../../src/repository/snapshot.ts'
import { encodeParts, type Parts } from '../../../src/stores/artifact/parts.ts'
import { sha256 } from '../bytes.ts'
import { keys } from '../engine.ts'
import { MemoryStore } from '../memory-store.ts'
import type { GitHub, StoredArtifact } from './emulator.ts'
import type { Files } from './zip.ts'

const HOUR = 3_600_000
/** Bytes of the chunk that each adds. */
const SIZE = 50
const { sign } = authenticatorOf(keys)

/** Hourly backups of a set, the last one an hour ago, as an earlier version made them: without an index. The newest `proven` have proofs of their own. */
export async function plantBackups(github: GitHub, count: number, { set = 'default', proven = 0 } = {}): Promise<void> {
  let first: { artifact: StoredArtifact; chunk: [string, number] } | undefined
  for (let number = 0; number < count; number++) {
    const created = new Date(github.now().getTime() - (count - number) * HOUR)
    const id = newSnapshotId(created, randomBytes(4))
    const plaintext = randomBytes(SIZE)
    const chunk = await encrypt(compress(plaintext, 1), keys.recipients)
    const own: [string, number] = [chunkKey(chunkId(chunkSum(plaintext), keys), id.slice(-8)), chunk.length]
    const entries = [own, ...(first ? [first.chunk] : [])].map(([key, stored]): [string, number, number, null, string] => [key.slice(10, 74), SIZE, stored, null, key.slice(-8)])
    const snapshot = await encodeSnapshot(
      { format: 'lifeboat/1', id, set, time: created.toISOString(), key: keys.fingerprint, tags: [], size: SIZE, added: SIZE, recipients: [], chunks: entries },
      { sources: [{ name: 'files', kind: 'directory', streams: [{ name: 'files.tar', format: 'tar', size: SIZE, sum: sha256(Buffer.from(`${sha256(plaintext)}\n`)), chunks: [0] }], facts: {} }], anchors: entries.map(() => ''), spent: entries.map(() => 0), description: '', run: null, lifeboat: '1' },
      keys,
    )
    const needs = first ? [{ artifact: first.artifact.id, name: first.artifact.name, run: first.artifact.run.id, expires: null, objects: [first.chunk] }] : []
    const run = 100_000 + number
    const artifact = await plant(github, `lifeboat-${set}`, set, run, created, { [own[0]]: chunk, [snapshotKey(set, id)]: snapshot }, needs)
    first ??= { artifact, chunk: own }
    if (number < count - proven) continue
    const store = new MemoryStore()
    const key = await writeProof(store, keys, { snapshot: id, set, time: created, level: 'read', result: 'verified', seconds: 1, bytes: 50, damaged: [], problems: [], versions: {}, run: null })
    await plant(github, `lifeboat-${set}.2`, set, run, created, { [key]: await store.get(key, 10_000) }, [])
  }
}

async function plant(github: GitHub, name: string, set: string, run: number, created: Date, files: Files, needs: Parts['needs']): Promise<StoredArtifact> {
  const objects = Object.entries(files).map(([key, bytes]): Parts['objects'][number] => [key, bytes.length, sha256(bytes)])
  return github.plant({ name, run, created, files: { ...files, 'parts.json': sign(encodeParts({ name, run, set, objects, needs })) } })
}

/** Artifacts of other workflows, and some that forks named like backups. */
export function plantForeign(github: GitHub, count: number, forks: number): void {
  for (let number = 0; number < count; number++) {
    const fork = number < forks
    const run = { id: 200_000 + number, backend: 'x', repository: 'octo/shop', head: fork ? 'evil/shop' : 'octo/shop' }
    const created = github.now()
    github.artifacts.push({ id: 1_000_000 + number, name: fork ? 'lifeboat-default' : `build-${number}`, run, blob: 'none', size: 10, digest: `sha256:${'0'.repeat(64)}`, created, expires: new Date(created.getTime() + 90 * 24 * HOUR), final: true })
  }
}
