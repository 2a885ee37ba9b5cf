// npm run bench:start -- [--rounds 10] [--write]: commands that touch no store, from start to exit.
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { bench, cost } from './harness.ts'
import { measure } from './measure.ts'

await bench({ rounds: 10 }, ({ rounds, work, lifeboat, environment, table }) => table('start', async (add) => {
  const file = path.join(work, 'lifeboat.yml')
  writeFileSync(file, 'set: production\ndestination: file:/srv/backups\nretention:\n  daily: 7\n')
  const commands = { '--help': ['--help'], 'backup --help': ['backup', '--help'], 'key new': ['key', 'new'], 'config check': ['config', 'check', '--config', file] }
  for (let round = 1; round <= rounds; round++) {
    for (const [name, command] of Object.entries(commands)) add(name, 'Lifeboat', cost(await measure([process.execPath, lifeboat, ...command], environment, work)))
  }
}))
