// npm run bench:volumes -- [--rounds 1] [--only small,large,source,bucket] [--folder DIR] [--write]
// Backs up and restores the same folders with several programs in turn, the built program among them; docs/benchmarks.md says what it means.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import { newIdentity } from '../src/repository/keys.ts'
import { inParallel } from '../src/process/parallel.ts'
import { startCeph } from '../test/support/ceph.ts'
import { clientOf, newBucket } from '../test/support/s3-place.ts'
import { machine, versionOf } from './machine.ts'
import { bytesIn, measure } from './measure.ts'
import { type Data, data } from './volume-data.ts'
import { type VolumeProgram, volumePrograms, volumeRestores } from './volume-programs.ts'
import { volumeReport, type VolumeSample } from './volume-report.ts'

const checkout = path.join(import.meta.dirname, '..')
const { values } = parseArgs({ options: { rounds: { type: 'string', default: '1' }, only: { type: 'string', default: 'small,large,source,bucket' }, folder: { type: 'string', default: os.tmpdir() }, write: { type: 'boolean', default: false } } })
const work = mkdtempSync(path.join(values.folder, 'lifeboat-bench-volumes-'))
const store = path.join(work, 'store')
const kept = (program: VolumeProgram): string => path.join(work, `kept ${program.name.replaceAll('/', '-')}`)
const samples: VolumeSample[] = []
let aside = 0
const [loadBefore = 0] = os.loadavg()
const { identity } = await newIdentity()
process.on('SIGINT', () => {
  rmSync(work, { recursive: true, force: true })
  process.exit(1)
})
try {
  const lifeboat = path.join(work, 'dist/cli.js')
  execFileSync(process.execPath, [path.join(checkout, 'scripts/build.ts'), path.dirname(lifeboat)], { stdio: 'ignore' })
  const fetched = path.join(checkout, '.cache/restic/usr/bin/restic')
  const given = { lifeboat, encryptionKey: identity, restic: existsSync(fetched) ? fetched : 'restic' }
  for (const only of values.only.split(',')) {
    const set = new Map<string, Data>(Object.entries(data)).get(only)
    if (set === undefined && only !== 'bucket') throw new Error(`--only ${only}: there are ${Object.keys(data).join(', ')} and bucket`)
    if (set === undefined) await bucket(lifeboat)
    else for (let round = 1; round <= Number(values.rounds); round++) await folders(set, volumePrograms(given))
  }
  publish(volumeReport(samples, machine(work, [...[given.restic, 'borg', 'tar', 'gzip', 'zstd'].map(versionOf), `load average after all that: ${os.loadavg()[0]!.toFixed(1)}`], loadBefore)))
} finally {
  rmSync(work, { recursive: true, force: true })
}

async function folders(set: Data, programs: VolumeProgram[]): Promise<void> {
  const folder = path.join(work, 'data')
  const step = async (scenario: string, program: VolumeProgram, source: string) => {
    const sample = await run(program, source, scenario)
    samples.push({ set: set.title, scenario, program: program.name, ...sample })
    console.error(`${set.title}, ${scenario}, ${program.name}: ${sample.seconds.toFixed(2)} s, ${sample.cpuSeconds.toFixed(1)} s of CPU, ${(sample.peakProcess / 2 ** 20).toFixed(0)} MiB, ${(sample.added / 1e6).toFixed(2)} MB added; load ${os.loadavg()[0]!.toFixed(1)}`)
  }
  mkdirSync(folder)
  set.make(folder)
  for (const program of programs) {
    rmSync(store, { recursive: true, force: true })
    mkdirSync(store)
    program.prepare?.(store)
    await step('first', program, folder)
    renameSync(store, kept(program))
  }
  const second = programs.filter(({ forgets }) => !forgets)
  for (const program of second) await again('unchanged', program)
  const target = path.join(work, 'restored')
  for (const program of volumeRestores(programs)) {
    mkdirSync(target)
    renameSync(kept(program.of!), store)
    await step('restore', program, target)
    renameSync(store, kept(program.of!))
    setAside(target)
  }
  set.change(folder)
  for (const program of second) await again('changed', program)
  for (const program of programs) rmSync(kept(program), { recursive: true })
  setAside(folder)

  async function again(scenario: string, program: VolumeProgram): Promise<void> {
    renameSync(kept(program), store)
    await step(scenario, program, folder)
    renameSync(store, kept(program))
  }
}

/** Until the end: ext4 does not use again what was deleted in the last minutes, and looks through all of it for each file that is made. */
function setAside(folder: string): void {
  renameSync(folder, path.join(work, `set aside ${++aside}`))
}

/** Nothing is on its way to the disk when it starts, and what it will read is in memory: borg has the system forget what it read. */
async function run(program: VolumeProgram, source: string, scenario: string): Promise<Pick<VolumeSample, 'seconds' | 'cpuSeconds' | 'peakProcess' | 'stored' | 'added'>> {
  execFileSync('sync')
  for (const folder of [source, store]) execFileSync('sh', ['-c', 'tar -c -C "$1" . | cat >/dev/null', 'sh', folder])
  const size = () => (program.stored === null || !existsSync(path.join(store, program.stored)) ? 0 : bytesIn(path.join(store, program.stored)))
  const before = size()
  const measured = await measure(program.command(store, source), { ...process.env, ...program.environment?.(store) }, work)
  const stored = size()
  return { ...measured, stored, added: scenario === 'restore' ? 0 : stored - before }
}

/** 20,000 objects of 2 kB in Ceph's gateway, on this machine. */
async function bucket(lifeboat: string): Promise<void> {
  const ceph = await startCeph()
  try {
    const [client, name] = [clientOf(ceph), await newBucket(ceph)]
    await inParallel(Array.from({ length: 20_000 }, (_, index) => index), 16, (index) =>
      client.send(new PutObjectCommand({ Bucket: name, Key: `photos/${index % 100}/${index}.jpg`, Body: Buffer.from(`${index} `.repeat(300)), ContentType: 'image/jpeg' })),
    )
    client.destroy()
    const place = `s3://${name}?endpoint=${ceph.endpoint}&path-style=true`
    const environment = { ...process.env, AWS_ACCESS_KEY_ID: ceph.accessKey, AWS_SECRET_ACCESS_KEY: ceph.secretKey, LIFEBOAT_ENCRYPTION_KEY: identity }
    const destination = ['--destination', `file:${path.join(work, 'bucket store')}`]
    const backup = [process.execPath, lifeboat, 'backup', '--volumes', `media=${place}`, ...destination]
    const restore = [process.execPath, lifeboat, 'restore', '--volume', 'media', '--target', place, '--mode', 'overwrite', ...destination]
    for (const [scenario, command] of [['first', backup], ['unchanged', backup], ['restore where nothing differs', restore]] as const) {
      const measured = await measure(command, environment, work)
      samples.push({ set: 'a bucket of 20,000 objects', scenario, program: 'Lifeboat', stored: 0, added: 0, ...measured })
      console.error(`bucket, ${scenario}: ${measured.seconds.toFixed(2)} s, ${(measured.peakProcess / 2 ** 20).toFixed(0)} MiB`)
    }
  } finally {
    await ceph.stop()
  }
}

function publish(text: string): void {
  console.log(text)
  if (!values.write) return
  const page = path.join(checkout, 'docs/benchmarks.md')
  const [start, end] = ['<!-- volumes: npm run bench:volumes -- --write -->\n', '<!-- end of volumes -->']
  const [before, rest] = readFileSync(page, 'utf8').split(start)
  const after = rest?.split(end)[1]
  if (after === undefined) throw new Error(`${page} has no place for figures between ${start.trim()} and ${end}`)
  writeFileSync(page, `${before}${start}\n${text}\n${end}${after}`)
}
