// npm run bench:list -- [--rounds 3] [--write]: `list`, `stats` and `show` over a store of 1,000 snapshots in a folder, the program started once for each.
import path from 'node:path'
import { FileStore } from '../src/stores/file/store.ts'
import { bench, cost } from './harness.ts'
import { measure } from './measure.ts'
import { fillWithSnapshots, IDENTITY } from './snapshots.ts'

const commands: readonly [name: string, command: readonly string[], key?: string][] = [
  ['list', ['list']],
  ['list --retention', ['list', '--retention', 'daily=30 weekly=12 monthly=12 yearly=7']],
  ['list, without a key', ['list'], ''],
  ['list, 30 days', ['list', '--since', '2023-03-01T00:00:00Z', '--until', '2023-03-30T00:00:00Z']],
  ['stats', ['stats']],
  ['show', ['show', 'latest', '--set', 'app']],
]

await bench({}, ({ rounds, work, lifeboat, environment, table }) => table('list', async (add) => {
  for (const chunks of [600, 40]) {
    const folder = path.join(work, `${chunks}`)
    await fillWithSnapshots(new FileStore(folder), { snapshots: 1000, chunks, newest: true })
    for (let round = 1; round <= rounds; round++) {
      for (const [name, command, key = IDENTITY] of commands) {
        const variables = { ...environment, LIFEBOAT_DESTINATION: `file:${folder}`, LIFEBOAT_ENCRYPTION_KEY: key }
        add(`${chunks} chunks each`, name, cost(await measure([process.execPath, lifeboat, ...command], variables, work)))
      }
    }
  }
}))
