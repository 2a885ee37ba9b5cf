// npm run bench:s3 -- [--rounds 3] [--only speed,start,list,prune] [--megabytes 1000] [--lifeboat dist/cli.js]
// What a store in a bucket costs, on Ceph's gateway on loopback, beside the same in a folder, and beside restic; docs/benchmarks.md says what it means.
import { existsSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { build, listing, planning, starting, temporaryFolder, type Where } from './s3-scale.ts'
import { speed } from './s3-speed.ts'

const parts = {
  speed: (where: Where) => speed(where, megabytes),
  start: (where: Where) => starting(where, { snapshots: 1000, chunks: 2000, own: 200 }),
  list: async (where: Where) => {
    await listing(where, { snapshots: 1000, chunks: 40 })
    await listing(where, { snapshots: 1000, chunks: 600 })
  },
  prune: (where: Where) => planning(where, { snapshots: 10_000, chunks: 1_000_000 }),
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    only: { type: 'string', default: Object.keys(parts).join(',') },
    megabytes: { type: 'string', default: '1000' },
    lifeboat: { type: 'string' },
  },
})
const [rounds, megabytes] = [Number(values.rounds), Number(values.megabytes)]
if (!(rounds > 0) || !(megabytes > 0)) throw new Error('--rounds and --megabytes are numbers above 0')
const only = values.only.split(',')
const strange = only.find((name) => !Object.hasOwn(parts, name))
if (strange !== undefined) throw new Error(`--only ${strange}: there are ${Object.keys(parts).join(', ')}`)

const folder = temporaryFolder('bench-s3-')
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1))
const lifeboat = values.lifeboat === undefined ? build(folder) : path.resolve(values.lifeboat)
if (!existsSync(lifeboat)) throw new Error(`${lifeboat} is missing`)
const [load = 0] = os.loadavg()
console.log(`load average before all that: ${load.toFixed(1)} (times say little unless it is well below 1)`)
for (const [name, part] of Object.entries(parts)) if (only.includes(name)) await part({ lifeboat, rounds, tell: console.log })
