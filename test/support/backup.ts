import { openKeys } from '../../src/repository/open-keys.ts'
import { openOrMakeRepository } from '../../src/repository/repository.ts'
import type { SourceRecord } from '../../src/repository/snapshot.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import { type GivenStream, Run } from './engine.ts'

export interface GivenBackup {
  folder: string
  encryptionKey: string
  recipients?: string[]
  set?: string
  time?: Date
  /** Streams by the name of their source. */
  sources: Record<string, GivenStream[]>
  /** Their kinds, if they are not databases. */
  kind?: Pick<SourceRecord, 'kind' | 'facts'>
}

/** Backs up given bytes with the engine alone, no command and no source around it; makes the store on first use. Gives the snapshot's id. */
export async function backUp({ folder, encryptionKey, recipients = [], set = 'app', time = new Date(), sources, kind }: GivenBackup): Promise<{ id: string; deltaChunks: number; newChunks: number }> {
  const store = new FileStore(folder)
  await openOrMakeRepository(store)
  const run = await Run.begin({ store, keys: await openKeys(encryptionKey, { store, recipients, create: true }), set, time })
  for (const [name, streams] of Object.entries(sources)) await run.source(name, streams, kind)
  expect(run.damage).toEqual([])
  await run.commit()
  const { deltaChunks, newChunks } = run.writer
  return { id: run.id, deltaChunks, newChunks }
}
