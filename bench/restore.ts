// npm run bench:restore -- [--only restore,restore-table] [--rounds 3] [--megabytes 600] [--write]: restores a shop with pg_restore of one archive, with pg_restore --jobs=2 of the
// same, and with `lifeboat restore --jobs 2` out of a store in a folder, in turn: on all cores, and with the server on half of them and the programs on the others; and one table of
// 50 MB out of a shop that is eight times as large.
import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { loadDataset } from '../test/support/dataset.ts'
import { clientEnvironment } from '../test/support/postgres-server.ts'
import { bench, cost } from './harness.ts'
import { measure } from './measure.ts'

const PART = 50
const TIMES = 8
/** The cores of the server, and of the programs, where these are apart. */
const [OWN, OTHERS] = ((half) => [`0-${half - 1}`, `${half}-${2 * half - 1}`])(Math.max(1, Math.floor(os.availableParallelism() / 2)))

await bench({ megabytes: 600 }, async ({ rounds, megabytes, work, lifeboat, environment, server: start, table }) => {
  await table('restore', (add) => withShop(megabytes, async ({ variables, ours, restored, hold }) => {
    const archive = path.join(work, 'archive')
    execFileSync('pg_dump', ['--format=custom', '--compress=0', `--file=${archive}`], { env: variables })
    for (const [scenario, prefix] of [['the whole', []], ['the whole, the server on half of the cores', ['taskset', '--cpu-list', OTHERS]]] as const) {
      if (prefix.length > 0 && os.availableParallelism() === 1) break
      if (prefix.length > 0) hold(OWN)
      for (let round = 1; round <= rounds; round++) {
        const whole = async (program: string, command: readonly string[], creates = false): Promise<void> => add(scenario, program, await restored([...prefix, ...command], creates))
        await whole('pg_restore', ['pg_restore', '--dbname=again', archive])
        await whole('pg_restore --jobs=2', ['pg_restore', '--dbname=again', '--jobs=2', archive])
        await whole('Lifeboat', ours('restore', 'again', '--mode', 'create', '--jobs', '2'), true)
      }
    }
    rmSync(archive)
  }))
  await table('restore-table', (add) => withShop(megabytes * TIMES, async ({ ours, restored }) => {
    const said = path.join(work, 'said')
    const one = ours('restore', 'again', '--mode', 'create', '--tables', 'one_part')
    for (let round = 1; round <= rounds; round++) {
      const figures = await restored(['sh', '-c', 'out=$1; shift; "$@" >"$out"', 'sh', said, ...one], true)
      const { read }: { read: number } = JSON.parse(readFileSync(said, 'utf8'))
      add(`one table of ${PART} MB`, 'Lifeboat', { ...figures, read })
    }
  }))

  interface Shop {
    variables: NodeJS.ProcessEnv
    /** A command of Lifeboat for a database of its server. */
    ours: (command: string, database: string, ...more: string[]) => string[]
    /** Runs a restore into a database of the name `again`, which is there unless the command `creates` it. */
    restored: (command: readonly string[], creates: boolean) => Promise<ReturnType<typeof cost>>
    /** Holds the server to these cores from now on. */
    hold: (cores: string) => void
  }

  /** With a shop of so many megabytes and a table of 50, which are backed up. */
  async function withShop(size: number, run: (shop: Shop) => Promise<void>): Promise<void> {
    const server = await start({ maintenance_work_mem: '128MB' })
    await server.createDatabase('shop')
    await loadDataset(server, 'shop', { megabytes: size })
    await server.sql(`CREATE TABLE one_part AS SELECT g AS id, md5(g::text) || md5((g + 1)::text) AS text FROM generate_series(1, ${Math.round((PART * 1e6) / 72)}) g`, 'shop')
    const variables = { ...environment, ...clientEnvironment(server, 'shop') }
    const store = path.join(work, `store-${size}`)
    const ours: Shop['ours'] = (command, database, ...more) =>
      ['env', `DATABASE_URL=${server.url(database)}`, process.execPath, lifeboat, command, '--destination', `file:${store}`, '--json', ...more]
    const restored: Shop['restored'] = async (command, creates) => {
      await server.sql('DROP DATABASE IF EXISTS again')
      if (!creates) await server.createDatabase('again')
      await server.sql('CHECKPOINT')
      return cost(await measure(command, variables, work))
    }
    await measure(ours('backup', 'shop'), variables, work)
    const hold: Shop['hold'] = (cores) => {
      const children = execFileSync('ps', ['-o', 'pid=', '--ppid', String(server.pid)], { encoding: 'utf8' }).trim().split(/\s+/)
      for (const pid of [String(server.pid), ...children]) execFileSync('taskset', ['--all-tasks', '--cpu-list', '--pid', cores, pid], { stdio: 'ignore' })
    }
    await run({ variables, ours, restored, hold })
    for (const database of ['again', 'shop']) await server.sql(`DROP DATABASE ${database}`)
    rmSync(store, { recursive: true })
  }
})
