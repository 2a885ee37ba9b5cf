import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { planText } from '../../../src/commands/init/report.ts'
import { type WorkflowPlan, workflowsOf } from '../../../src/commands/init/workflows.ts'
import { newIdentity } from '../../../src/repository/keys.ts'
import { parseDestination } from '../../../src/stores/destination.ts'
import { FakeGh } from '../../support/fake-gh.ts'
import { freePort } from '../../support/free-port.ts'
import { atTerminal } from '../../support/pseudo-terminal.ts'
import { type Ended, lifeboatEntry, runLifeboat } from '../../support/terminal-program.ts'

/** A checkout that somebody else wrote, and the destination that its workflow has. */
let folder: string
let project: string
let elsewhere: Server
let requests: string[]
let plan: WorkflowPlan
beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-checkout-'))
  project = path.join(folder, 'project')
  mkdirSync(path.join(project, '.github/workflows'), { recursive: true })
  execFileSync('git', ['init', '--quiet', project])
  execFileSync('git', ['-C', project, 'remote', 'add', 'origin', 'git@github.com:octo/shop.git'])
  requests = []
  elsewhere = createServer((request, response) => {
    requests.push(`${request.method} ${request.headers.authorization}`)
    response.writeHead(404).end()
  })
  const port = await freePort()
  await new Promise<void>((resolve) => void elsewhere.listen(port, '127.0.0.1', resolve))
  plan = {
    action: 'octo/other@v1.2.3', set: 'shop', databases: [{ name: 'app', secret: 'DATABASE_URL' }],
    destination: { text: `webdav://127.0.0.1:${port}/backups`, secret: false }, credentials: ['LIFEBOAT_WEBDAV_TOKEN'], settings: [],
    recipients: [(await newIdentity()).recipient], retention: 'daily=7', runner: 'ubuntu-24.04', major: 17,
    times: { backup: { hour: 2, minute: 41 }, drill: { hour: 3, minute: 7 }, freshness: { hour: 7, minute: 52 } },
  }
})
afterEach(() => {
  elsewhere.closeAllConnections()
  elsewhere.close()
  rmSync(folder, { recursive: true })
})

const workflows = (): string => path.join(project, '.github/workflows')

function writeWorkflows(): void {
  for (const [name, text] of Object.entries(workflowsOf(plan))) writeFileSync(path.join(workflows(), name), text)
}

async function variables(): Promise<Record<string, string>> {
  return {
    PATH: process.env['PATH']!, HOME: folder, TMPDIR: folder, LIFEBOAT_WEBDAV_TOKEN: 'token-of-the-user',
    DATABASE_URL: `postgres://app:password@127.0.0.1:${await freePort()}/app`, LIFEBOAT_ENCRYPTION_KEY: (await newIdentity()).identity,
  }
}

/** Without a terminal. */
async function run(...args: string[]): Promise<Ended> {
  return runLifeboat(['init', '--action', 'octo/lifeboat@v0.1.0', '--yes', ...args], await variables(), { folder: project })
}

test('without a terminal, answers that only the checkout has are missing; nothing is contacted', async () => {
  writeWorkflows()
  const ended = await runLifeboat(['init', '--yes'], await variables(), { folder: project })
  expect(ended.status).toBe(2)
  for (const [option, answer] of [['--destination', plan.destination!.text], ['--recipients', plan.recipients[0]], ['--action', plan.action]]) {
    expect(ended.err).toContain(`${option}, because only .github/workflows/lifeboat-backup.yml has it: ${answer}`)
  }
  expect(requests).toEqual([])
})

test.each([['refused', 'n', []], ['agreed to', 'y', expect.arrayContaining(['PROPFIND Bearer token-of-the-user'])]])(
  'at a terminal they are shown first, and contacted only if they are agreed to: %s', async (_, answer, contacted) => {
    writeWorkflows()
    const terminal = atTerminal([process.execPath, lifeboatEntry(), 'init'], { folder: project, variables: await variables() })
    for (const one of [plan.destination!.text, plan.recipients[0]!, plan.action, 'Use this? [y/N]']) await terminal.sees(one)
    expect(requests).toEqual([])
    terminal.types(answer)
    if (answer === 'y') {
      await terminal.sees('Go on without a first backup?')
      terminal.types('n')
    }
    await terminal.sees('Nothing was changed.')
    expect(await terminal.ended).toBe(answer === 'y' ? 1 : 2)
    expect(requests).toEqual(contacted)
  },
)

test('a destination that the checkout has from a secret is missing: the backups do not go elsewhere unasked', async () => {
  plan.destination!.secret = true
  plan.recipients = []
  writeWorkflows()
  const ended = await run('--force')
  expect(ended.status).toBe(2)
  expect(ended.err).toContain('--destination, because .github/workflows/lifeboat-backup.yml has it from a secret')
  const given = await run('--force', '--destination', 'artifact', '--ignore-problems')
  expect(given.err).toContain('the workflows back up into artifact from now on; the backups in the destination that the workflow had stay there')
})

test.each([['there', true], ['missing', false]])('a new folder whose parent is %s: no backup is advised, and the space is that of its disk', async (_, there) => {
  const { err } = await run('--destination', path.join(folder, there ? 'store' : 'missing/store'), '--no-recovery-recipient', '--ignore-problems')
  expect(err).toMatch(/snapshots: 0/)
  expect(err).not.toContain('If no backup has finished')
  for (const row of [/ space +\S+ \S+ free/, /deleted immediately/]) expect(row.test(err)).toBe(there)
})

test('the plan names everyone who can open the backups, and what gets the secrets', () => {
  const text = planText({ files: [], toWrite: [], secrets: [], makesBackup: false, answers: { repository: 'octo/shop', destination: parseDestination('/mnt/x'), movedFrom: 's3://old', there: new Set(), plan } })
  for (const one of [...plan.recipients, plan.action, plan.runner, 'goes on to back up into s3://old']) expect(text).toContain(one)
})

test.each([
  ['a workflow', '.github/workflows/lifeboat-restore.yml'], ['the workflow that has the answers', '.github/workflows/lifeboat-backup.yml'],
  ['the folder of workflows', '.github/workflows'], ['its folder', '.github'],
])('a link in place of %s is not followed', async (_, place) => {
  const outside = path.join(folder, 'outside')
  if (place.endsWith('.yml')) writeFileSync(outside, 'host:5432:app:me:a-password-elsewhere\n')
  else mkdirSync(outside)
  rmSync(path.join(project, place), { recursive: true, force: true })
  symlinkSync(outside, path.join(project, place))
  const ended = await run('--destination', path.join(folder, 'store'), '--no-recovery-recipient', '--ignore-problems')
  expect(ended.status).toBe(2)
  expect(ended.err).toContain(`${place} is not a ${place.endsWith('.yml') ? 'regular file' : 'folder'}`)
  expect(ended.err).not.toContain('a-password-elsewhere')
  if (place.endsWith('.yml')) expect(readFileSync(outside, 'utf8')).toContain('elsewhere')
  else expect(readdirSync(outside)).toEqual([])
})

test.each([
  ['xterm', 'This is gone from the screen'], ['dumb', 'clear it and its history afterwards'],
])('on the terminal %s, the new key is shown with what becomes of it; Ctrl-C after that says that nothing was changed', async (TERM, sentence) => {
  const command = [process.execPath, lifeboatEntry(), 'init', '--action', 'octo/lifeboat@v0.1.0', '--destination', 'artifact', '--ignore-problems', '--set-secrets=false']
  const terminal = atTerminal(command, { folder: project, variables: { ...(await variables()), LIFEBOAT_ENCRYPTION_KEY: '', TERM } })
  await terminal.sees('Enter makes a new one')
  terminal.types('')
  await terminal.sees('Enter for none: ')
  terminal.types('')
  await terminal.sees('type its last 6 characters: ')
  expect(terminal.shown()).toContain(sentence)
  expect(terminal.shown().includes('\u001B[?1049h')).toBe(TERM !== 'dumb')
  terminal.types(/AGE-SECRET-KEY-1[0-9A-Z]+/.exec(terminal.shown())![0].slice(-6))
  await terminal.sees('Do this? [y/N]')
  terminal.presses('\u0003')
  await terminal.sees('interrupted: nothing was changed in the repository')
  await terminal.sees('The key that you saved opens nothing')
  expect(await terminal.ended).toBe(130)
})

describe('the key of a repository', () => {
  const given = ['init', '--action', 'octo/lifeboat@v0.1.0', '--destination', 'artifact', '--no-recovery-recipient', '--ignore-problems', '--yes']
  let gh: FakeGh
  /** Sets everything up, for artifacts. */
  async function setUp(key: string, ...more: string[]): Promise<Ended> {
    const known = await variables()
    return runLifeboat([...given, ...more], { ...known, PATH: `${gh.bin}:${known['PATH']}`, LIFEBOAT_ENCRYPTION_KEY: key }, { folder: project })
  }
  let first: string
  let other: string
  beforeEach(async () => {
    gh = new FakeGh(folder)
    first = (await newIdentity()).identity
    other = (await newIdentity()).identity
    expect(await setUp(first)).toMatchObject({ status: 0 })
    expect(gh.secret('LIFEBOAT_ENCRYPTION_KEY')).toBe(first)
  })

  test('--force does not replace it; --replace-key does, and says what that means', async () => {
    const kept = await setUp(other, '--force')
    expect(kept.out).toMatch(/secret LIFEBOAT_ENCRYPTION_KEY +there already/)
    expect(kept.err).toContain('replace the secret DATABASE_URL with gh')
    expect(gh.secret('LIFEBOAT_ENCRYPTION_KEY')).toBe(first)
    const replaced = await setUp(other, '--replace-key')
    expect(replaced.err).toContain('replace the secret LIFEBOAT_ENCRYPTION_KEY with gh\n    Backups that exist need the key that is there now')
    expect(gh.secret('LIFEBOAT_ENCRYPTION_KEY')).toBe(other)
  })

  test('one of the organization, which gh does not list, is not hidden by another', async () => {
    rmSync(path.join(gh.folder, 'secrets/LIFEBOAT_ENCRYPTION_KEY'))
    const again = await setUp(other)
    expect(again.out).toMatch(/secret LIFEBOAT_ENCRYPTION_KEY +to make/)
    expect(gh.secret('LIFEBOAT_ENCRYPTION_KEY')).toBeUndefined()
  })

  test('without gh nobody says that it is there; workflows are to be committed until they are', async () => {
    const again = async (): Promise<Ended> => runLifeboat(given, { ...(await variables()), LIFEBOAT_ENCRYPTION_KEY: '' }, { folder: project })
    const before = await again()
    expect(before.out).toMatch(/secret LIFEBOAT_ENCRYPTION_KEY +to make/)
    expect(before.out).toContain('unless they are there: DATABASE_URL, LIFEBOAT_ENCRYPTION_KEY.')
    expect(before.out).toContain('git add .github/workflows')
    execFileSync('git', ['-C', project, 'add', '.'])
    execFileSync('git', ['-C', project, '-c', 'user.name=a', '-c', 'user.email=a@b', 'commit', '--quiet', '--message', 'workflows'])
    expect((await again()).out).not.toContain('git add')
  })
})
