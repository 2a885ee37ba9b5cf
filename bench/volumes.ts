// npm run bench:volumes -- [--only files-small,files-large,files-source,files-bucket] [--rounds 1] [--folder DIR] [--write]
// Backs up and restores the same folders with several programs in turn, and a bucket with Lifeboat.
import { execFileSync } from 'node:child_process'
import { mkdirSync, renameSync, rmSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import { inParallel } from '../src/process/parallel.ts'
import { startCeph } from '../test/support/ceph.ts'
import { clientOf, newBucket } from '../test/support/s3-place.ts'
import { startDelay } from './delay.ts'
import { type Add, bench, cost } from './harness.ts'
import { versionOf } from './machine.ts'
import { measure } from './measure.ts'
import { emptyStore, type Program, restic, runOn, volumePrograms, volumeRestores } from './programs.ts'
import { addressOf, credentialsOf, portOf } from './s3-address.ts'
import { type Data, data } from './volume-data.ts'

await bench({ rounds: 1 }, async ({ rounds, work, lifeboat, environment, table }) => {
  const store = path.join(work, 'store')
  const kept = (program: Program): string => path.join(work, `kept ${program.name.replaceAll('/', '-')}`)
  const programs = volumePrograms(lifeboat)
  let aside = 0

  const versions = [restic, 'borg', 'tar', 'zstd'].map(versionOf)
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys of this object
  for (const [name, one] of Object.entries(data) as [keyof typeof data, Data][]) {
    await table(name, async (add) => {
      for (let round = 1; round <= rounds; round++) await folders(one, add)
    }, versions)
  }
  await table('files-bucket', bucket)

  async function folders({ make, change }: Data, add: Add): Promise<void> {
    const folder = path.join(work, 'data')
    mkdirSync(folder)
    make(folder)
    // Lifeboat reads files again that changed within the minute before a backup.
    await sleep(61_000)
    for (const program of programs) {
      emptyStore(program, store)
      add('first backup', program.name, await run(program, folder))
      renameSync(store, kept(program))
    }
    const remembering = programs.filter(({ forgets }) => !forgets)
    for (const program of remembering) await again('nothing changed', program)
    const target = path.join(work, 'restored')
    for (const program of volumeRestores(programs, lifeboat)) {
      mkdirSync(target)
      renameSync(kept(program.of!), store)
      add('restore', program.name, await run(program, target))
      renameSync(store, kept(program.of!))
      setAside(target)
    }
    change(folder)
    for (const program of remembering) await again('after changes', program)
    for (const program of programs) rmSync(kept(program), { recursive: true })
    setAside(folder)

    async function again(scenario: string, program: Program): Promise<void> {
      renameSync(kept(program), store)
      add(scenario, program.name, await run(program, folder))
      renameSync(store, kept(program))
    }
  }

  /** Until the end: ext4 does not use again what was deleted in the last minutes, and looks through all of it for each file that is made. */
  function setAside(folder: string): void {
    renameSync(folder, path.join(work, `set aside ${++aside}`))
  }

  /**
   * Reads everything that it will read before, so that it is in memory: borg has the system forget what it read. And writes and deletes a large file:
   * without that, restores of 2 GB took 5 s or 10 s on a virtual machine, the difference all in the kernel, which probably gets pages back from the host.
   */
  function run(program: Program, folder: string): ReturnType<typeof runOn> {
    for (const one of [folder, store]) execFileSync('sh', ['-c', 'tar -c -C "$1" . | cat >/dev/null', 'sh', one])
    execFileSync('sh', ['-c', 'head -c 3000000000 /dev/zero >"$1"; rm "$1"', 'sh', path.join(work, 'filler')])
    return runOn(program, { store, folder, environment, work })
  }

  /** 20,000 objects of 2 kB in Ceph's gateway, on this machine, behind a proxy that counts requests. */
  async function bucket(add: Add): Promise<void> {
    const ceph = await startCeph()
    const proxy = await startDelay(portOf(ceph), 0)
    try {
      const [client, name] = [clientOf(ceph), await newBucket(ceph)]
      await inParallel(Array.from({ length: 20_000 }, (_, index) => index), 16, (index) =>
        client.send(new PutObjectCommand({ Bucket: name, Key: `photos/${index % 100}/${index}.jpg`, Body: Buffer.from(`${index} `.repeat(300)), ContentType: 'image/jpeg' })),
      )
      client.destroy()
      const place = addressOf(`http://127.0.0.1:${proxy.port}`, name)
      const destination = ['--destination', `file:${path.join(work, 'bucket store')}`]
      const backup = [process.execPath, lifeboat, 'backup', '--volumes', `media=${place}`, ...destination]
      const restore = [process.execPath, lifeboat, 'restore', '--volume', 'media', '--target', place, '--mode', 'overwrite', '--confirm', `s3://${name}`, ...destination]
      for (const [scenario, command] of [['first backup', backup], ['nothing changed', backup], ['restore, nothing differs', restore]] as const) {
        const figures = cost(await measure(command, { ...environment, ...credentialsOf(ceph) }, work))
        add(scenario, 'Lifeboat', { ...figures, requests: (await proxy.seen()).length })
      }
    } finally {
      await proxy.stop()
      await ceph.stop()
    }
  }
})
