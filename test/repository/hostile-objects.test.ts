import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { constants, zstdCompressSync } from 'node:zlib'
import { Decrypter, Encrypter } from 'age-encryption'
import { LIMITS } from '../../src/repository/limits.ts'
import { newIdentity } from '../../src/repository/keys.ts'
import { openKeys } from '../../src/repository/open-keys.ts'
import { putLabels } from '../../src/repository/labels.ts'
import { passphraseIdentity, passphraseRecipient } from '../../src/repository/sealing/passphrase.ts'
import { sign } from '../../src/repository/signed.ts'
import { FileStore } from '../../src/stores/file/store.ts'
import { putTrash } from '../../src/repository/trash.ts'
import { writeProof } from '../../src/repository/proofs.ts'
import { type Ended, runLifeboat } from '../support/terminal-program.ts'

// Someone who can write to the store, and has no key, puts there whatever costs or misleads most. Each command runs as a program of its own.

const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-hostile-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const data = path.join(folder, 'data')
const honest = path.join(folder, 'honest')
const passphrase = 'a passphrase for hostile stores'
const zeros = '0'.repeat(64)
const MIB = 1024 * 1024
/** A snapshot of 16 KB that holds half a gigabyte. */
const bomb = zstdCompressSync(Buffer.alloc(512 * MIB, 'A'), { pledgedSrcSize: 512 * MIB, params: { [constants.ZSTD_c_compressionLevel]: 19 } })

let fingerprint = ''
const ids: string[] = []
let number = 0

/** Prints the most memory that the process had, in MiB, and its CPU time. Not `maxRSS`: that begins with what the parent had when it forked. */
const measure = `import { readFileSync, writeSync } from 'node:fs'
process.on('exit', () => {
  const { user, system } = process.cpuUsage()
  const peak = Math.round(/VmHWM:\\s*(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1] / 1024)
  writeSync(2, 'peak ' + peak + ' MiB, ' + (user + system) / 1e6 + ' s of CPU time\\n')
})`
const measuring = `data:text/javascript,${encodeURIComponent(measure)}`

interface Outcome extends Ended {
  /** MiB. */
  peak: number
  /** Seconds of CPU time, which does not grow with the load of the machine. */
  cpu: number
}

async function run(store: string, command: string, args: string[] = [], key: string | null = passphrase): Promise<Outcome> {
  const env = { PATH: process.env['PATH'], HOME: folder, TMPDIR: folder, ...(key !== null && { LIFEBOAT_ENCRYPTION_KEY: key }) }
  const ended = await runLifeboat([command, '--destination', `file:${store}`, ...args], env, { node: ['--import', measuring] })
  const measured = (pattern: RegExp): number => Number(pattern.exec(ended.err)?.[1] ?? Number.NaN)
  return { ...ended, peak: measured(/peak (\d+) MiB/), cpu: measured(/([\d.]+) s of CPU time/) }
}

const backUp = (store: string): Promise<Outcome> => run(store, 'backup', ['--volumes', `data=${data}`, '--json'])

beforeAll(async () => {
  mkdirSync(data)
  for (const day of ['one', 'two']) {
    writeFileSync(path.join(data, 'file.txt'), `${day}\n`.repeat(10_000))
    const { status, out, err } = await backUp(honest)
    expect(`${status} ${err}`).toMatch(/^0 /)
    ids.push(JSON.parse(out).snapshot)
  }
  const [file] = readdirSync(path.join(honest, 'keys'))
  fingerprint = file!.slice(0, 16)
  await makeCheap(path.join(honest, 'keys', file!))
})

/** The same key file with a small work factor: each command here opens it, and scrypt is not what is tested. */
async function makeCheap(file: string): Promise<void> {
  const [decrypter, encrypter] = [new Decrypter(), new Encrypter()]
  decrypter.addIdentity(passphraseIdentity(passphrase, 18))
  encrypter.addRecipient(passphraseRecipient(passphrase, 4))
  writeFileSync(file, await encrypter.encrypt(await decrypter.decrypt(readFileSync(file))))
}

function copyOfStore(): string {
  const store = path.join(folder, `store-${++number}`)
  cpSync(honest, store, { recursive: true })
  return store
}

function put(store: string, key: string, bytes: string | Uint8Array): string {
  mkdirSync(path.dirname(path.join(store, key)), { recursive: true })
  writeFileSync(path.join(store, key), bytes)
  return key
}

const line = (key: string): string => `lifeboat/1 ${key} ${zeros}\n`
/** Newer than the honest ones, by a minute and more; each with another id. */
const laterId = (): string => `${new Date(Date.now() + 60_000 + ++number * 1000).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z-${String(number).padStart(8, '0')}`
const snapshotKeyOf = (id: string): string => `snapshots/default/${id}.json.zst`
const frame = (text: string): Buffer => zstdCompressSync(text)

/** Objects that claim to be of this key, or of another, whose bodies cost as much as possible. */
const bodies: [string, Buffer][] = [
  ['16 KB that hold half a gigabyte', bomb],
  ['deep nesting', frame('['.repeat(300_000))],
  ['many members', frame(`{${Array.from({ length: 100_000 }, (_, index) => `"${index}":1`).join(',')}}`)],
  ['many problems for a schema', frame(`{"format":"lifeboat/1","tags":[${'1,'.repeat(200_000)}1]}`)],
  ['a long string', frame(`"${'A'.repeat(400_000)}"`)],
  ['a second frame', Buffer.concat([frame('{}'), frame('{}')])],
  ['no frame', Buffer.from('nothing')],
]

/** Everything at once; gives the keys of what was put. */
async function plant(store: string): Promise<{ snapshots: string[]; future: string; others: string[] }> {
  const other = await openKeys((await newIdentity()).identity, { store: new FileStore('/nowhere'), create: false })
  const files = new FileStore(store)
  const snapshots: string[] = []
  for (const [, body] of bodies) {
    for (const key of [fingerprint, other.fingerprint]) snapshots.push(put(store, snapshotKeyOf(laterId()), Buffer.concat([Buffer.from(line(key)), body])))
  }
  const genuine = readFileSync(path.join(store, snapshotKeyOf(ids[1]!)))
  snapshots.push(put(store, snapshotKeyOf(laterId()), genuine), put(store, snapshotKeyOf(laterId()), ''), put(store, snapshotKeyOf(laterId()), 'lifeboat/2 of the future\n'))
  const future = put(store, snapshotKeyOf('20991231T235959Z-ffffffff'), genuine)
  const time = new Date()
  const others = [
    put(store, `labels/default/${ids[0]}.json`, `${line(fingerprint)}{"format":"lifeboat/1"}`),
    put(store, `labels/default/${ids[1]}.json`, Buffer.alloc(MIB, '[')),
    put(store, `proofs/default/${ids[1]}.20991231T000000Z-00000001.read-failed-chunks.${'0'.repeat(32)}.json`, `${line(fingerprint)}[${'1,'.repeat(MIB)}1]`),
    put(store, `proofs/default/${ids[1]}.20991231T000000Z-00000002.read-failed-chunks.${'0'.repeat(32)}.json`, Buffer.alloc(5 * MIB, '[')),
    put(store, 'trash/20200101T000000Z-00000001.json', `${line(fingerprint)}${'['.repeat(4 * MIB)}`),
    put(store, 'trash/20200101T000000Z-00000002.json', JSON.stringify({ format: 'lifeboat/1', chunks: readdirSync(path.join(store, 'chunks')) })),
    put(store, 'keys/0000000000000001.age', Buffer.from('age-encryption.org/v1\n-> scrypt AAAAAAAAAAAAAAAAAAAAAA 24\n')),
    put(store, 'keys/0000000000000002.age', Buffer.alloc(MIB)),
  ]
  // Of other kinds, and of another key: nothing of them is believed either.
  const mine = await openKeys(passphrase, { store: files, create: false })
  await putLabels(files, other, 'default', '20200101T000000Z-00000001', { pinned: false, tags: null })
  await putTrash(files, other, '20200101T000000Z-00000003', [])
  await writeProof(files, other, { snapshot: ids[1]!, set: 'default', time, level: 'read', result: 'failed', seconds: 1, bytes: 1, damaged: [], problems: [], versions: {}, run: null })
  others.push(put(store, 'trash/20200101T000000Z-00000004.json', sign('{"format":"lifeboat/1","trash":"20200101T000000Z-00000004","chunks":[]}', mine, 'labels')))
  return { snapshots, future, others }
}

test('the bomb is as small as it should be', () => {
  expect(bomb.length).toBeLessThan(64 * 1024)
})

describe('with everything hostile in the store at once', () => {
  let store: string
  let planted: Awaited<ReturnType<typeof plant>>
  const outcomes: Record<string, Outcome> = {}
  beforeAll(async () => {
    store = copyOfStore()
    planted = await plant(store)
    outcomes['list'] = await run(store, 'list', ['--json'])
    outcomes['list without a key'] = await run(store, 'list', ['--json'], null)
    outcomes['check'] = await run(store, 'check', ['--json'])
    outcomes['verify'] = await run(store, 'verify', ['--level', 'read', '--json'])
    const target = path.join(folder, `restored-${++number}`)
    outcomes['restore'] = await run(store, 'restore', ['--volume', 'data', '--target', target, '--json'])
    outcomes['prune'] = await run(store, 'prune', ['--retention', 'last=1', '--json'])
    writeFileSync(path.join(data, 'file.txt'), 'three\n'.repeat(10_000))
    outcomes['backup'] = await backUp(store)
    expect(readFileSync(path.join(target, 'file.txt'), 'utf8')).toBe('two\n'.repeat(10_000))
  }, 300_000)

  test.each(['list', 'list without a key', 'restore', 'prune', 'backup'])('%s does its work', (command) => {
    const { status, err } = outcomes[command]!
    expect(`${status} ${err}`).toMatch(/^0 /)
  })

  test('a verification of the latest does its work, and fails: newer ones cannot be read', () => {
    const { result, snapshots } = JSON.parse(outcomes['verify']!.out)
    expect([outcomes['verify']!.status, result, snapshots.at(-1)]).toEqual([1, 'failed', expect.objectContaining({ snapshot: ids[1], result: 'verified' })])
  })

  test.each(['list', 'list without a key', 'check', 'verify', 'restore', 'prune', 'backup'])('%s needs less than 300 MiB, and time as ever', (command) => {
    const { peak, cpu } = outcomes[command]!
    expect(peak).toBeLessThan(300)
    expect(cpu).toBeLessThan(20)
  })

  test('the newest that is authentic is what `latest` means', () => {
    expect(JSON.parse(outcomes['restore']!.out)).toMatchObject({ snapshot: ids[1] })
    expect(JSON.parse(outcomes['list']!.out).snapshots.filter(({ authentic }: { authentic: boolean }) => authentic).map(({ id }: { id: string }) => id)).toEqual([ids[1], ids[0]])
    expect(outcomes['verify']!.err).toContain(`${planted.future} is passed over: it is dated in the future`)
  })

  test('a backup builds on it, and is dated now', () => {
    const { snapshot, time, chunks, newChunks } = JSON.parse(outcomes['backup']!.out)
    expect(Math.abs(Date.parse(time) - Date.now())).toBeLessThan(300_000)
    expect(snapshot < '2099').toBe(true)
    expect(newChunks).toBeLessThanOrEqual(chunks)
  })

  test('each warning names its object, once', () => {
    for (const [command, { err }] of Object.entries(outcomes)) {
      const warnings = err.split('\n').filter((text) => text.startsWith('warning: '))
      expect([command, new Set(warnings).size]).toEqual([command, warnings.length])
      expect(warnings.length).toBeLessThan(52)
    }
    for (const key of ['keys/0000000000000001.age', 'keys/0000000000000002.age']) expect(outcomes['verify']!.err).toContain(key)
    for (const key of ['trash/20200101T000000Z-00000001.json', 'trash/20200101T000000Z-00000002.json', 'trash/20200101T000000Z-00000004.json']) expect(outcomes['backup']!.err).toContain(key)
    for (const { err } of Object.values(outcomes)) expect(err).not.toContain('trash/20200101T000000Z-00000003.json')
  })

  test('a prune names what keeps it from deleting chunks, keeps the newest and deletes no chunk', () => {
    const { kept, deleted, chunks } = JSON.parse(outcomes['prune']!.out)
    // Labels that cannot be believed are a pin.
    expect([kept, deleted, chunks.deleted.objects]).toEqual([2, 0, 0])
    expect(outcomes['prune']!.err).toContain('no chunks are deleted')
  })

  test('a forged snapshot that is forgotten is gone, and with all of them chunks are pruned again', async () => {
    const all = [...planted.snapshots, planted.future].map((key) => path.basename(key, '.json.zst'))
    const forgotten = await run(store, 'forget', [...all, '--force'])
    expect(`${forgotten.status} ${forgotten.err}`).toMatch(/^0 /)
    const pruned = await run(store, 'prune', ['--retention', 'last=1', '--json'])
    expect(`${pruned.status} ${pruned.err}`).not.toContain('no chunks are deleted')
  })
})

describe('each bomb alone costs less than two seconds of CPU time more than an honest store, and one warning', () => {
  const plain: Record<string, number> = {}
  const args: Record<string, string[]> = { list: [], check: [], prune: ['--retention', 'last=9'] }
  beforeAll(async () => {
    const store = copyOfStore()
    for (const command of ['list', 'check', 'prune']) plain[command] = (await run(store, command, args[command])).cpu
    plain['list without a key'] = (await run(store, 'list', [], null)).cpu
  })

  async function expectCheap(store: string, command: string, planted: string, key: string | null = passphrase): Promise<void> {
    const { err, peak, cpu } = await run(store, command, args[command], key)
    expect(err.split('\n').filter((text) => text.startsWith('warning: ') && text.includes(planted))).toHaveLength(1)
    expect(cpu - plain[key === null ? `${command} without a key` : command]!).toBeLessThan(2)
    expect(peak).toBeLessThan(300)
  }

  test.each(bodies)('a snapshot: %s, under this key', async (_, body) => {
    const store = copyOfStore()
    const planted = put(store, snapshotKeyOf(laterId()), Buffer.concat([Buffer.from(line(fingerprint)), body]))
    await expectCheap(store, 'list', planted)
    await expectCheap(store, 'list', planted, null)
    await expectCheap(store, 'prune', planted)
  })

  test.each(bodies)('a snapshot: %s, under another key', async (_, body) => {
    const store = copyOfStore()
    const planted = put(store, snapshotKeyOf(laterId()), Buffer.concat([Buffer.from(line('0123456789abcdef')), body]))
    await expectCheap(store, 'list', planted)
    await expectCheap(store, 'prune', planted)
  })

  test.each<[string, () => string, number, 'list' | 'prune']>([
    ['labels', () => `labels/default/${ids[1]}.json`, LIMITS.labels, 'list'],
    ['a proof', () => `proofs/default/${ids[1]}.20991231T000000Z-00000001.read-failed-chunks.${'0'.repeat(32)}.json`, LIMITS.proof, 'list'],
    ['trash', () => 'trash/20200101T000000Z-00000001.json', LIMITS.trash, 'prune'],
    ['a key file', () => 'keys/0000000000000001.age', LIMITS.keyFile, 'list'],
  ])('%s of nested lists, and of zeros, as large as is read', async (_, name, size, command) => {
    const key = name()
    for (const body of [Buffer.alloc(size - 100, '['), Buffer.alloc(size - 100)]) {
      const store = copyOfStore()
      put(store, key, Buffer.concat([Buffer.from(line(fingerprint)), body]))
      await expectCheap(store, command, key)
    }
  })
})

test('snapshots as large as is read, which take no disk, are not in memory together', async () => {
  const store = copyOfStore()
  for (let index = 0; index < 6; index++) {
    const key = snapshotKeyOf(laterId())
    for (const one of [key, key.replace('/default/', '/zzz/')]) truncateSync(path.join(store, put(store, one, '')), LIMITS.snapshot)
  }
  const commands: [string, string[]][] = [['list', []], ['check', []], ['verify', ['--level', 'read']], ['prune', ['--retention', 'last=1']], ['backup', ['--volumes', `data=${data}`]]]
  const peaks: Record<string, number> = {}
  for (const [command, args] of commands) {
    const { status, err, peak } = await run(store, command, [...args, '--json'])
    // A verification of the newest fails if that cannot be read.
    if (command !== 'check') expect(`${status} ${err}`).toMatch(command === 'verify' ? /^1 / : /^0 /)
    peaks[command] = peak
  }
  expect(Object.entries(peaks).filter(([, peak]) => !(peak < 300))).toEqual([])
}, 240_000)

test('nobody without the key can write down trash, so chunks in forged trash are built on', async () => {
  const store = copyOfStore()
  const chunks = readdirSync(path.join(store, 'chunks'), { recursive: true, encoding: 'utf8' }).filter((name) => statSync(path.join(store, 'chunks', name)).isFile()).map((name) => path.basename(name))
  put(store, 'trash/20200101T000000Z-00000001.json', `${line(fingerprint)}${JSON.stringify({ format: 'lifeboat/1', trash: '20200101T000000Z-00000001', chunks })}`)
  writeFileSync(path.join(data, 'file.txt'), 'two\n'.repeat(10_000))
  const { out, err } = await backUp(store)
  expect(err).toContain('trash/20200101T000000Z-00000001.json')
  expect(JSON.parse(out).added).toBeLessThan(20_000)
})

test('a passphrase is not tried on files that would take gigabytes of memory', async () => {
  const store = copyOfStore()
  const encrypter = new Encrypter()
  encrypter.setPassphrase('whatever it may be, it is long')
  encrypter.setScryptWorkFactor(2)
  const small = Buffer.from(await encrypter.encrypt('x')).toString('latin1')
  for (const work of [19, 22, 30]) put(store, `keys/00000000000000${work}.age`, Buffer.from(small.replace(/(?<=-> scrypt \S+ )2\n/, `${work}\n`), 'latin1'))
  const { status, err, cpu } = await run(store, 'list')
  expect(status).toBe(0)
  for (const work of [19, 22, 30]) expect(err).toContain(`keys/00000000000000${work}.age in file:${store} is passed over: its scrypt work factor is ${work}, and 18 is the most`)
  expect(cpu).toBeLessThan(20)
})
