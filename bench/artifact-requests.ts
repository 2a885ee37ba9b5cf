// Requests to GitHub's REST API that each command makes with many earlier backups, against an emulator, and what the index of the artifacts
// takes.
import { GitHub } from '../test/support/github/emulator.ts'
import { Jobs } from '../test/support/github/jobs.ts'
import { plantBackups, plantForeign } from '../test/support/github/many-backups.ts'
import type { Add } from './harness.ts'

export async function measureRequests(backups: number, foreign: number, add: Add): Promise<void> {
  const github = await GitHub.start()
  const jobs = new Jobs(github, 'octo/shop')
  const set = 'default'
  try {
    await plantBackups(github, backups, { proven: Math.min(backups, 24) })
    plantForeign(github, foreign, Math.min(foreign, 20))
    jobs.change()
    const measure = async (what: string, work: () => Promise<unknown>): Promise<void> => {
      const before = github.calls.length
      await work()
      const calls = github.calls.slice(before).filter(({ path }) => path.startsWith('/repos/'))
      const byName = [...Map.groupBy(calls, ({ name }) => name)].map(([name, these]) => `${these.length} ${name}`)
      add(what, 'Lifeboat', { requests: calls.length })
      console.error(byName.join(', '))
    }
    await measure('backup without an index', () => jobs.run('backup'))
    jobs.change()
    await measure('backup', () => jobs.run('backup'))
    const index = (await jobs.files())['index.json.zst']
    console.error(`index of ${backups + 1} backups: ${index?.length ?? 0} bytes`)
    await measure('list', () => jobs.run('list', { set }))
    await measure('list of all sets', () => jobs.run('list'))
    await measure('check', () => jobs.run('check', { set }))
    await measure('verify, level list', () => jobs.run('verify', { set }))
    await measure('verify, level read', () => jobs.run('verify', { set, level: 'read' }))
    await measure('restore', () => jobs.run('restore', { set, volume: 'files', target: `${jobs.folder}/restored` }))
    await measure('prune', () => jobs.run('prune', { set, retention: `last=${Math.ceil(backups * 0.97)}`, 'max-delete': '100%' }))
  } finally {
    jobs.close()
    await github.stop()
  }
}
