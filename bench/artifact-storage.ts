// The storage that backups take as artifacts with the default `full-every`, pruned once a day, against an emulator of GitHub's services:
// table rows of which 1 % change a day.
import { randomBytes } from 'node:crypto'
import { authenticatorOf } from '../src/repository/authenticator.ts'
import { loadKnown, SNAPSHOTS_BUILT_ON } from '../src/repository/known.ts'
import { openOrMakeRepository } from '../src/repository/repository.ts'
import { retain, type RetentionPolicy } from '../src/repository/retention.ts'
import { newSnapshotId, snapshotKey } from '../src/repository/snapshot.ts'
import { GRACE } from '../src/repository/trash.ts'
import { Writer } from '../src/repository/writer.ts'
import { artifactRetention } from '../src/stores/artifact/retention.ts'
import { ArtifactStore } from '../src/stores/artifact/store.ts'
import { ChangingRows } from '../test/support/changing-rows.ts'
import { keys } from '../test/support/engine.ts'
import { GitHub } from '../test/support/github/emulator.ts'
import type { Add } from './harness.ts'

const DAY = 86_400_000

export async function measureStorage(
  { perDay, megabytes, days, temporary }: { perDay: number; megabytes: number; days: number; temporary: string }, add: Add,
): Promise<void> {
  const policy: RetentionPolicy = perDay > 1 ? { within: 2 * DAY, daily: 30 } : { daily: 30 }
  const github = await GitHub.start()
  const token = github.token('write')
  const open = (): ArtifactStore => {
    const store = new ArtifactStore({
      set: 'bench', token, variables: github.startRun(), temporary, timeout: 60_000, retention: artifactRetention(30, 90),
      signal: new AbortController().signal, report: { info: () => undefined, warning: console.warn }, now: () => github.now(),
    })
    store.groups.authenticate(authenticatorOf(keys))
    return store
  }
  const rows = new ChangingRows(megabytes * 1e6, 'typical')
  const made: { id: string; set: string; time: Date; pinned: boolean; verified: boolean; damaged: boolean; drilled: boolean }[] = []
  let uploaded = 0
  const start = Date.now()
  try {
    for (let number = 0; number < days * perDay; number++) {
      github.offset = start + (number * DAY) / perDay - Date.now()
      if (number > 0) rows.change(0.01 / perDay)
      const store = open()
      await openOrMakeRepository(store)
      const known = await loadKnown(store, keys, 'bench', raise)
      const id = newSnapshotId(github.now(), randomBytes(4))
      const writer = new Writer({ store, keys, known, compression: 3, jobs: 2, mark: id.slice(-8), signal: new AbortController().signal, onDamaged: raise })
      const record = await writer.stream('bench', 'pg_dump-custom', pieces(rows.bytes), () => undefined)
      const sources = [{ name: 'bench', kind: 'postgres', streams: [record], facts: {} }]
      await writer.commit({ format: 'lifeboat/1', id, set: 'bench', time: github.now().toISOString(), tags: [] }, { sources, description: '', run: null, lifeboat: 'bench' })
      await store.groups.commit(writer.reused())
      await store.close()
      const { size } = github.artifacts.at(-1)!
      uploaded += size
      made.push({ id, set: 'bench', time: github.now(), pinned: false, verified: true, damaged: false, drilled: false })
      if ((number + 1) % perDay > 0) continue
      const kept = new Set(retain(made, policy, 'UTC', github.now()).filter(({ keep }) => keep).map(({ snapshot }) => snapshotKey('bench', snapshot.id)))
      const pruning = open()
      await pruning.groups.release({ kept, grace: GRACE, builtOn: SNAPSHOTS_BUILT_ON, dryRun: false })
      await pruning.close()
      made.splice(0, made.length, ...made.filter((one) => kept.has(snapshotKey('bench', one.id))))
      const day = (number + 1) / perDay
      if (day !== 1 && day % 15 > 0 && day !== days) continue
      add(perDay > 1 ? `hourly, ${megabytes} MB` : `daily, ${megabytes} MB`, `day ${day}`, {
        stored: github.live().reduce((sum, one) => sum + one.size, 0), uploaded, artifacts: github.live().length,
      })
    }
  } finally {
    await github.stop()
  }
}

function raise(error: Error): never {
  throw error
}

async function* pieces(bytes: Buffer): AsyncGenerator<Buffer, void, void> {
  for (let at = 0; at < bytes.length; at += 65536) yield bytes.subarray(at, at + 65536)
}
