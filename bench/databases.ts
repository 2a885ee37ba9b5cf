// npm run bench -- [--only shop,pgbench,incompressible,small,many-tables] [--rounds 5] [--megabytes 1000] [--folder DIR] [--write]
// Backs up and restores the same databases with several programs in turn.
import { execFileSync } from 'node:child_process'
import { renameSync, rmSync } from 'node:fs'
import path from 'node:path'
import { clientDirectory } from '../test/support/client-programs.ts'
import { changeDataset, loadDataset, loadIncompressible, loadPgbench, loadSmall, loadTables, runPgbench } from '../test/support/dataset.ts'
import { clientEnvironment, type Server } from '../test/support/postgres-server.ts'
import { type Add, bench, MAJOR } from './harness.ts'
import { versionOf } from './machine.ts'
import { databasePrograms, databaseRestores, emptyStore, type Program, restic, runOn } from './programs.ts'
import { DUMP, type TableName } from './tables.ts'

interface Data {
  load: (server: Server, database: string) => Promise<void>
  /** Changes a copy of it; without it there is only one backup. */
  change?: (server: Server, database: string) => Promise<void>
  restores?: true
  /** Default: all. */
  programs?: readonly string[]
}

await bench({ rounds: 5 }, async ({ rounds, megabytes, work, lifeboat, environment, server: start, table }) => {
  const store = path.join(work, 'store')
  const kept = (program: Program): string => path.join(work, `kept ${program.name.replaceAll('/', '-')}`)
  const all = databasePrograms(lifeboat)
  const server = await start({ max_locks_per_transaction: '2000' })

  const data: Partial<Record<TableName, Data>> = {
    small: { load: loadSmall },
    shop: { load: (on, name) => loadDataset(on, name, { megabytes }), change: (on, name) => changeDataset(on, name), restores: true },
    pgbench: { load: (on, name) => loadPgbench(on, name, Math.ceil(megabytes / 33)), change: (on, name) => runPgbench(on, name, megabytes * 50) },
    incompressible: { load: (on, name) => loadIncompressible(on, name, Math.ceil(megabytes * 0.3)), restores: true },
    // Only pg_dump makes a difference here.
    'many-tables': { load: (on, name) => loadTables(on, name, 50_000), programs: [DUMP, 'Lifeboat'] },
  }
  const versions = [`PostgreSQL server ${MAJOR}`, ...[path.join(clientDirectory(MAJOR), 'pg_dump'), restic, 'borg', 'zstd'].map(versionOf)]
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys of this object
  for (const [name, one] of Object.entries(data) as [TableName, Data][]) await table(name, (add) => measureData(name, one, add), versions)

  async function measureData(name: string, { load, change, restores, programs }: Data, add: Add): Promise<void> {
    const chosen = all.filter((program) => programs?.includes(program.name) ?? true)
    await server.createDatabase(name)
    await load(server, name)
    if (change) {
      await server.sql(`CREATE DATABASE changed TEMPLATE "${name}"`)
      await change(server, 'changed')
    }
    for (let round = 1; round <= rounds; round++) {
      for (const program of chosen) {
        if (program.yardstick && !change) continue
        emptyStore(program, store)
        const figures = await run(program, name, store)
        if (!program.yardstick) add('first backup', program.name, figures)
        rmSync(kept(program), { recursive: true, force: true })
        renameSync(store, kept(program))
      }
      const remembering = chosen.filter(({ forgets }) => !forgets)
      if (change) {
        for (const program of remembering) if (!program.yardstick) add('nothing changed', program.name, await second(program, name))
        for (const program of remembering) add('after changes', program.name, await second(program, 'changed'))
      }
      if (restores) for (const program of databaseRestores(all, lifeboat)) add('restore', program.name, await restored(program))
    }
    for (const one of [name, ...(change ? ['changed'] : [])]) await server.sql(`DROP DATABASE "${one}" WITH (FORCE)`)
  }

  /** Into a copy of the store that the first backup made; in the same place, because borg checks the place. */
  async function second(program: Program, database: string): Promise<Awaited<ReturnType<typeof runOn>>> {
    rmSync(store, { recursive: true, force: true })
    execFileSync('cp', ['-a', kept(program), store])
    return run(program, database, store)
  }

  async function restored(program: Program): Promise<Awaited<ReturnType<typeof runOn>>> {
    await server.sql('CHECKPOINT')
    const figures = await run(program, 'postgres', kept(program.of!))
    await server.sql('DROP DATABASE restored WITH (FORCE)')
    return figures
  }

  function run(program: Program, database: string, on: string): ReturnType<typeof runOn> {
    return runOn(program, { store: on, environment: { ...environment, ...clientEnvironment(server, database) }, work })
  }
})
