import { randomUUID } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { newIdentity } from '../src/repository/keys.ts'
import { type Aws, startAws } from './support/aws.ts'
import { clientDirectory } from './support/client-programs.ts'
import { DockerDaemon } from './support/docker.ts'
import { GitHub } from './support/github/emulator.ts'
import { tracked } from './support/github/runner.ts'
import { startServer, type Server } from './support/postgres-server.ts'
import { startRecorder } from './support/recorder.ts'
import { evaluated, runWorkflow, withVolume, type Contexts, type RanStep } from './support/workflow.ts'

const examples = path.join(import.meta.dirname, '../workflows-examples')
const readme = readFileSync(path.join(import.meta.dirname, '../README.md'), 'utf8')
const pasted = /^( *)```yaml\n([\s\S]*?jobs:[\s\S]*?)\n\1```$/m.exec(readme)!

let server: Server
/** Of drills. */
let scratch: Server
let github: GitHub
let key: string
beforeAll(async () => {
  key = (await newIdentity()).identity
  ;[server, scratch, github] = await Promise.all([startServer(15), startServer(15), GitHub.start()])
  await server.createDatabase('shop')
  await server.sql('CREATE SCHEMA sales; CREATE TABLE sales.orders AS SELECT g AS id, md5(g::text) AS what FROM generate_series(1, 20000) g', 'shop')
})
afterAll(() => Promise.all([server.stop(), scratch.stop(), github.stop()]))

let folder: string
let tracking: string
let repositories = 0
let repository: string
/** The targets of the messages of examples. */
let targets = ''
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-examples-'))
  tracking = `github_${randomUUID()}`
  mkdirSync(path.join(folder, '_temp'))
  repository = `octo/shop-${++repositories}`
  targets = ''
})
afterEach(() => {
  expect(tracked(tracking)).toEqual([])
  expect(readdirSync(path.join(folder, '_temp')).filter((name) => name !== '_runner_file_commands')).toEqual([])
  rmSync(folder, { recursive: true })
})

/** The databases behind secrets, by the first word of their names; none is a server. */
const DATABASES: Record<string, string> = { RESTORE: 'target', SERVER: '' }

/** A run of an example in this test's repository, with a database behind every secret. */
async function run(text: string, inputs: Record<string, string> = {}, aws?: Partial<Pick<Aws, 'role' | 'services' | 'identity'>>): Promise<RanStep[]> {
  const names = [...text.matchAll(/[A-Z_]*DATABASE_URL/g)].map(([name]) => name)
  const secrets = { ...Object.fromEntries(names.map((name) => [name, server.url(DATABASES[name.split('_')[0]!] ?? 'shop')])), LIFEBOAT_ENCRYPTION_KEY: key, LIFEBOAT_NOTIFY: targets, LIFEBOAT_NOTIFY_SECRET: 'signs' }
  const variables = { ...github.startRun(repository), RUNNER_TRACKING_ID: tracking, PATH: [clientDirectory(15), process.env['PATH']].join(path.delimiter) }
  const steps = await runWorkflow(text, {
    work: folder,
    contexts: { secrets, inputs, vars: { LIFEBOAT_ROLE_ARN: aws?.role } },
    job: ({ actions = 'none', issues, 'id-token': identity }) => ({ variables: { ...variables, ...aws?.services, ...(identity === 'write' && aws?.identity) }, github: { token: github.token(actions === 'read' ? 'read' : 'none', repository, issues === 'write' ? 'write' : 'read'), sha: '0123456789abcdef0123456789abcdef01234567' } }),
    adapt: (input) => input.replace('/mnt/backups', path.join(folder, 'disk')).replace('/mnt/shop', path.join(folder, 'shop')).replace(/^postgres:.*localhost.*$/, scratch.url('postgres')),
  })
  for (const { ending, post } of steps) {
    expect(post).toMatchObject({ status: 0, log: '' })
    for (const secret of [key, server.password, scratch.password]) expect([ending.summary, ...Object.values(ending.outputs)].join()).not.toContain(secret)
  }
  return steps
}

const example = (name: string, inputs?: Record<string, string>, aws?: Partial<Pick<Aws, 'role' | 'services' | 'identity'>>): Promise<RanStep[]> => run(textOf(name), inputs, aws)
const textOf = (name: string): string => readFileSync(path.join(examples, `${name}.yml`), 'utf8')
const failures = (steps: RanStep[]): string[] => steps.filter(({ ending }) => ending.status !== 0).map(({ ending }) => ending.log)

test('there is a run of every example below', () => {
  const tested = [...readFileSync(import.meta.filename, 'utf8').matchAll(/(?:example|textOf)\('([a-z0-9-]+)'/g)].map((match) => match[1]!)
  expect([...new Set(tested)].toSorted()).toEqual(readdirSync(examples).map((name) => path.basename(name, '.yml')).toSorted())
})

test('the workflow of the README backs up, and the second time stores only what changed', async () => {
  const text = pasted[2]!.replaceAll(new RegExp(`^${pasted[1]}`, 'gm'), '')
  const [first] = await run(text)
  const [second] = await run(text)
  expect(failures([first!, second!])).toEqual([])
  expect(Number(second!.ending.outputs['added'])).toBeLessThan(Number(first!.ending.outputs['added']) / 5)
  expect(second!.ending.summary).toContain('xychart-beta')
})

test('scheduled backup, weekly verification, a watch on both, and a restore by hand: first only checked, then done', async () => {
  const backup = await example('scheduled-backup')
  expect(failures(backup)).toEqual([])
  expect(JSON.parse(backup[0]!.ending.outputs['result']!)).toMatchObject({ set: 'production', verified: 'list', sources: [{ name: 'app' }, { name: 'billing' }] })
  // Nothing else is needed for the freshness check as printed.
  const [alone] = await example('freshness')
  expect([...failures([alone!]), alone!.ending.outputs['outcome']]).toEqual(['fresh'])
  const withProof = textOf('freshness').replace('# max-proof-age', 'max-proof-age')
  const [unread] = await run(withProof)
  expect(unread!.ending.outputs).toMatchObject({ outcome: 'stale', problems: '1', 'issue-url': expect.stringMatching(/\/issues\/1$/) })
  expect(github.issues.open().map(({ body }) => body)).toEqual([expect.stringContaining('no snapshot that is still in the store was verified at level read')])
  const verification = await example('weekly-verification')
  expect(failures(verification)).toEqual([])
  expect(verification[0]!.ending.outputs['outcome']).toBe('verified')
  const [drill] = await example('weekly-drill')
  expect([...failures([drill!]), drill!.ending.outputs['outcome']]).toEqual(['verified'])
  const [fresh] = await run(withProof)
  expect([fresh!.ending.status, fresh!.ending.outputs['outcome'], github.issues.open()]).toEqual([0, 'fresh', []])
  await server.createDatabase('target')
  const asked = { action: 'restore', snapshot: 'latest', database: 'app', confirm: 'target' }
  expect(failures(await example('restore', { ...asked, 'dry-run': 'true' }))).toEqual([])
  expect(await server.sql(`SELECT count(*) FROM pg_tables WHERE schemaname = 'sales'`, 'target')).toBe('0')
  expect(failures(await example('restore', { ...asked, 'dry-run': 'false' }))).toEqual([])
  expect(await server.sql('SELECT count(*) FROM sales.orders', 'target')).toBe('20000')
  // The database that the first of them made is kept when another restore replaces it.
  await server.sql('DELETE FROM sales.orders', 'target')
  const [, again] = await example('restore', { ...asked, 'dry-run': 'false' })
  expect(failures([again!])).toEqual([])
  expect(await server.sql('SELECT count(*) FROM sales.orders', 'target')).toBe('20000')
  const old = again!.ending.outputs['old-database']!
  expect(await server.sql('SELECT count(*) FROM sales.orders', old)).toBe('0')
  // The form sends its other fields, too.
  const [planned] = await example('restore', { ...asked, action: 'undo', 'dry-run': 'true' })
  expect([failures([planned!]), planned!.ending.log]).toEqual([[], expect.stringMatching(/Nothing was changed\. \S+\/target can be exchanged back for target_before_/)])
  expect(await server.sql('SELECT count(*) FROM sales.orders', 'target')).toBe('20000')
  const [undone] = await example('restore', { ...asked, action: 'undo', 'dry-run': 'false' })
  expect(failures([undone!])).toEqual([])
  expect(undone!.ending.outputs['state']).toMatch(new RegExp(`target is the database that was kept as ${old}, as it was put aside .* To go back: Exchange the two again: .*\`undo: true\`, \`terminate-connections: true\``))
  expect(await server.sql('SELECT count(*) FROM sales.orders', 'target')).toBe('0')
  for (const dry of ['true', 'false']) expect(failures(await example('restore', { ...asked, action: 'forget-old', 'dry-run': dry }))).toEqual([])
})

test('a backup before a deployment hands its snapshot on, and stops the deployment when it fails', async () => {
  const [good] = await example('pre-deploy-backup')
  expect(failures([good!])).toEqual([])
  expect(good!.ending.outputs).toMatchObject({ verified: 'read', 'snapshot-id': expect.stringMatching(/^\d{8}T/) })
  await server.sql('ALTER DATABASE shop RENAME TO elsewhere')
  const [bad] = await example('pre-deploy-backup')
  await server.sql('ALTER DATABASE elsewhere RENAME TO shop')
  expect([bad!.ending.status, bad!.ending.outputs]).toEqual([1, { outcome: 'failed' }])
  expect(bad!.ending.summary).toContain(`old**: \`${good!.ending.outputs['snapshot-id']}\``)
})

test('a backup with notifications: the ping gets start and end, a webhook failures and the recovery, and one issue is open meanwhile', async () => {
  const recorder = await startRecorder()
  try {
    targets = `webhook:${recorder.url}/hook on failure, recovered\nping:${recorder.url}/ping`
    const night = async (): Promise<string[]> => {
      recorder.seen.length = 0
      await example('notifications')
      return recorder.seen.map(({ path, body }): string => (path === '/hook' ? JSON.parse(body).status : path)).toSorted()
    }
    expect(await night()).toEqual(['/ping', '/ping/start'])
    await server.sql('ALTER DATABASE shop RENAME TO elsewhere')
    const bad = await night()
    await server.sql('ALTER DATABASE elsewhere RENAME TO shop')
    expect([bad, github.issues.open().map(({ title }) => title)]).toEqual([['/ping/fail', '/ping/start', 'failure'], [`Lifeboat backup failed: set production, ${repository}`]])
    expect([await night(), github.issues.open()]).toEqual([['/ping', '/ping/start', 'recovered'], []])
    expect(recorder.seen.find(({ path }) => path === '/hook')!.headers['lifeboat-signature-256']).toMatch(/^sha256=[0-9a-f]{64}$/)
  } finally {
    await recorder.close()
  }
})

test('many databases: each job of the matrix has a set of its own', async () => {
  const steps = await example('many-databases')
  expect(failures(steps)).toEqual([])
  expect(steps.map(({ ending }) => JSON.parse(ending.outputs['result']!).set)).toEqual(['shop', 'billing', 'reporting'])
})

test('many machines: the databases of a server are divided over jobs, and the last job tells whether all of them were backed up', async () => {
  const aws = await startAws('my-backups')
  try {
    const [plan, ...others] = await example('many-machines', {}, aws)
    expect(failures([plan!, ...others])).toEqual([])
    expect(JSON.parse(plan!.ending.outputs['matrix']!).include.map(({ job }: { job: string }) => job)).toHaveLength(others.length - 1)
    expect(others.at(-1)!.ending.outputs).toMatchObject({ outcome: 'complete', failed: '0', missing: '0' })
    expect(JSON.parse(others.at(-1)!.ending.outputs['result']!).sets).toContainEqual(expect.objectContaining({ set: 'shop', state: 'done', verified: 'list' }))
  } finally {
    await aws.stop()
  }
})

test('a runner of your own: a disk in place of artifacts', async () => {
  mkdirSync(path.join(folder, 'disk'))
  const steps = await example('self-hosted-runner')
  expect(failures(steps)).toEqual([])
  expect(readdirSync(path.join(folder, 'disk/production'))).toContain('lifeboat.json')
})

test('a step of three lines, with its inputs in a lifeboat.yml', async () => {
  const [store, uploads] = [path.join(folder, 'store'), path.join(folder, 'uploads')]
  mkdirSync(uploads)
  const text = withVolume(textOf('lifeboat')).replace('s3://backups/production?region=eu-central-1', `file:${store}`).replace(/postgres:.*@db.example.com.*/, '${APP_DATABASE_URL}')
    .replace('/srv/app/uploads', uploads).replace(/notify:\n.*\n/, '')
  mkdirSync(path.join(folder, 'workspace'))
  writeFileSync(path.join(folder, 'workspace/lifeboat.yml'), text)
  const [step] = await run(textOf('configured').replaceAll(/^ +(?:BILLING|SLACK|AWS).*\n/gm, ''))
  expect(failures([step!])).toEqual([])
  expect(JSON.parse(step!.ending.outputs['result']!)).toMatchObject({ set: 'production', verified: 'read', sources: [{ name: 'app' }, { name: 'billing' }, { name: 'uploads' }] })
})

test('a page about all backups, without names', async () => {
  expect(failures(await example('scheduled-backup'))).toEqual([])
  mkdirSync(path.join(folder, 'workspace/site'), { recursive: true })
  expect(failures(await example('report-pages'))).toEqual([])
  const page = readFileSync(path.join(folder, 'workspace/site/index.html'), 'utf8')
  expect(page).toContain('set 1')
  for (const name of ['shop', repository]) expect(page).not.toContain(name)
})

test('a managed database', async () => {
  expect(failures(await example('managed-postgresql'))).toEqual([])
})

test('an application with its volumes, stopped while they are read', async () => {
  const docker = await DockerDaemon.start()
  try {
    docker.inVolume('shop_uploads', 'mkdir thumbnails; echo large > a.jpg; echo small > thumbnails/a.jpg')
    for (const name of ['shop-web', 'shop-worker']) docker.run('run', '--detach', '--network=none', '--init', '--name', name, docker.image, 'sleep', '1000')
    for (const place of ['shop/settings', 'disk']) mkdirSync(path.join(folder, place), { recursive: true })
    const workflow = textOf('docker-volumes').replace('          volumes:', `          docker-image: ${docker.image}\n          volumes:`)
    const [step] = await run(workflow, {}, { services: { DOCKER_HOST: docker.variables['DOCKER_HOST']! } })
    expect(failures([step!])).toEqual([])
    expect(JSON.parse(step!.ending.outputs['result']!).sources).toMatchObject([{ name: 'app', kind: 'postgres' }, { name: 'uploads', kind: 'docker' }, { name: 'settings', kind: 'directory' }])
    expect(step!.ending.summary).toContain('1 database and 2 volumes backed up')
    expect(docker.run('ps', '--format', '{{.Names}}').split('\n').toSorted()).toEqual(['shop-web', 'shop-worker'])
  } finally {
    await docker.stop()
  }
})

test('a bucket, with credentials that the job is given for its identity; a job without it is told what it lacks', async () => {
  const aws = await startAws('my-backups')
  try {
    const [first] = await example('scheduled-backup-s3', {}, aws)
    const [second] = await example('scheduled-backup-s3', {}, aws)
    expect(failures([first!, second!])).toEqual([])
    expect(Number(second!.ending.outputs['added'])).toBeLessThan(Number(first!.ending.outputs['added']) / 5)
    expect(aws.exchanges()).toBe(2)
    const without = readFileSync(path.join(examples, 'scheduled-backup-s3.yml'), 'utf8').replace('id-token: write', 'contents: read')
    const [refused] = await run(without, {}, { ...aws, services: { ...aws.services, AWS_EC2_METADATA_DISABLED: 'true', HOME: folder } })
    expect(refused!.ending.status).toBe(1)
    expect(refused!.ending.log).toContain('id-token: write')
  } finally {
    await aws.stop()
  }
})

test('the model evaluates what the examples use, and refuses what it does not know', () => {
  const contexts: Contexts = { secrets: { A_URL: 'a' }, matrix: { secret: 'A_URL' }, steps: { backup: { outputs: { 'snapshot-id': 's' } } } }
  expect(evaluated('x=${{ secrets.A_URL }} ${{ secrets[matrix.secret] }} ${{steps.backup.outputs.snapshot-id}}', contexts)).toBe('x=a a s')
  expect(() => evaluated('${{ secrets.B_URL }}', contexts)).toThrow('secrets.B_URL has no value')
  expect(() => evaluated("${{ format('{0}', 1) }}", contexts)).toThrow('does not know')
})
