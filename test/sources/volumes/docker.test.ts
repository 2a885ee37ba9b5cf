import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Sandbox } from '../../end-to-end/sandbox.ts'
import { until } from '../../support/until.ts'
import { DockerDaemon } from '../../support/docker.ts'
import { Volumes } from '../../support/volume.ts'

let docker: DockerDaemon
beforeAll(async () => {
  docker = await DockerDaemon.start()
})
afterAll(() => docker.stop())

let folder: string
let volumes: Volumes
let count = 0
let name: string
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-docker-test-'))
  volumes = new Volumes(folder, docker.variables)
  name = `data${++count}`
})
afterEach(() => {
  // The helper containers are gone, however it ended.
  expect(docker.run('ps', '--all', '--quiet', '--filter', 'label=io.github.lifeboat=volume')).toBe('')
  rmSync(folder, { recursive: true })
})

const image = () => ({ 'docker-image': docker.image })
const LISTING = `find . -printf '%p %y %s %m %U %G %n %l %T@\\n' | while read -r line; do echo "$line"; done; cat a d/b`

test('a volume comes back into a new one, an empty one, and with clean into one that has something else; not into a full one', async () => {
  docker.inVolume(name, 'echo hi > a; mkdir d; echo x > d/b; ln d/b d/hard; ln -s /etc d/l; chown 999:999 . a; chmod 700 .; touch -d 2020-01-01 d .')
  const content = docker.inVolume(name, LISTING)
  await volumes.backup({ volumes: `app=docker:${name}`, verify: 'read', ...image() })
  expect(await volumes.restore({ target: `docker:${name}-new`, ...image() })).toMatchObject({ target: `docker:${name}-new`, restored: 6, errors: [] })
  docker.run('volume', 'create', `${name}-empty`)
  await volumes.restore({ target: `docker:${name}-empty`, ...image() })
  docker.inVolume(`${name}-full`, 'echo old > old; mkdir d; echo old > d/old')
  await expect(volumes.restore({ target: `docker:${name}-full`, ...image() })).rejects.toThrow('is not empty')
  expect(docker.inVolume(`${name}-full`, 'cat old d/old')).toBe('old\nold')
  await volumes.restore({ target: `docker:${name}-full`, mode: 'clean', ...image() })
  for (const kind of ['new', 'empty', 'full']) expect([kind, docker.inVolume(`${name}-${kind}`, LISTING)]).toEqual([kind, content])
})

test('an unchanged volume is not read again', async () => {
  docker.inVolume(name, 'echo hi > a; sleep 1.1')
  const given = { volumes: `app=docker:${name}`, ...image() }
  await volumes.backup(given)
  expect(await volumes.backup(given)).toMatchObject({ added: 0, newChunks: 0, sources: [{ name: 'app', kind: 'docker' }] })
})

test('an image that lacks programs is refused before anything begins, with all of them', async () => {
  docker.run('run', '--network=none', '--name', 'poor', docker.image, 'rm', '/usr/bin/df', '/usr/bin/sync')
  docker.run('commit', 'poor', 'poor:test')
  docker.run('run', '--network=none', '--name', 'poorer', docker.image, 'rm', '/usr/bin/find', '/usr/bin/tar')
  docker.run('commit', 'poorer', 'poorer:test')
  docker.run('rm', 'poor', 'poorer')
  docker.run('volume', 'create', name)
  const given = { volumes: `app=docker:${name}`, 'docker-image': 'poor:test' }
  // They are needed to restore alone.
  await volumes.backup(given)
  await expect(volumes.restore({ target: `docker:${name}-poor`, 'docker-image': 'poor:test' })).rejects.toThrow('the helper image poor:test lacks df, sync; nothing was begun')
  await expect(volumes.backup({ ...given, 'docker-image': 'poorer:test' })).rejects.toThrow('the helper image poorer:test lacks find, tar, GNU tar, GNU find; nothing was begun')
})

test('a volume or a daemon that is missing is named', async () => {
  await expect(volumes.backup({ volumes: 'app=docker:missing', ...image() })).rejects.toThrow('there is no Docker volume missing')
  expect(docker.run('volume', 'ls', '--quiet', '--filter', 'name=missing')).toBe('')
  docker.run('volume', 'create', name)
  await expect(volumes.backup({ volumes: `app=docker:${name}`, 'docker-image': 'no/such:image' })).rejects.toThrow(/a container of no\/such:image failed/)
  await expect(volumes.backup({ volumes: `app=docker:${name}`, 'stop-containers': 'nobody', ...image() })).rejects.toThrow('there is no container nobody to stop')
  const elsewhere = new Volumes(folder, { ...docker.variables, DOCKER_HOST: 'unix:///nowhere/docker.sock' })
  await expect(elsewhere.backup({ volumes: `app=docker:${name}`, ...image() })).rejects.toThrow(/docker volume failed: .*nowhere/)
})

const state = (container: string) => docker.run('inspect', '--format', '{{.State.Status}}', container)
const run = (container: string, ...more: string[]) => docker.run('run', '--detach', '--network=none', '--init', '--name', container, ...more, '--volume', `${name}:/v`, docker.image, 'sleep', '1000')

describe('containers that use a volume', () => {
  test('are stopped by name or label while it is read, and started again; what did not run is left alone', async () => {
    run(`${name}-a`)
    run(`${name}-b`, '--label', `stop=${name}`)
    run(`${name}-c`, '--label', `stop=${name}`)
    docker.run('kill', `${name}-c`)
    await volumes.backup({ volumes: `app=docker:${name}`, 'stop-containers': `${name}-a, label=stop=${name}`, 'pre-command': `docker inspect --format '{{.State.Status}}' ${name}-a > ${folder}/before`, 'post-command': `docker inspect --format '{{.State.Status}}' ${name}-a > ${folder}/after`, ...image() })
    expect([readFileSync(`${folder}/before`, 'utf8'), readFileSync(`${folder}/after`, 'utf8')]).toEqual(['running\n', 'running\n'])
    expect([state(`${name}-a`), state(`${name}-b`), state(`${name}-c`)]).toEqual(['running', 'running', 'exited'])
    // It had ended meanwhile.
    expect(docker.run('inspect', '--format', '{{.State.FinishedAt}}', `${name}-a`)).not.toContain('0001-01-01')
  })

  test.each(['stop', 'pause'])('run again after a backup that fails (%s)', async (mode) => {
    run(`${name}-a`)
    const given = { volumes: `app=docker:${name}`, 'stop-containers': `${name}-a`, 'stop-mode': mode, ...image() }
    await expect(volumes.backup({ ...given, 'pre-command': 'false' })).rejects.toThrow(/pre-command ended with exit status 1/)
    expect(state(`${name}-a`)).toBe('running')
    const controller = new AbortController()
    docker.inVolume(name, 'echo x > a')
    const cancelled = volumes.backup(given, controller.signal)
    await until(async () => state(`${name}-a`) !== 'running')
    controller.abort(new Error('cancelled'))
    await expect(cancelled).rejects.toThrow('cancelled')
    expect(state(`${name}-a`)).toBe('running')
  })

  test.each(['SIGKILL', 'SIGINT'] as const)('run again after %s, and post-command has run', async (signal) => {
    run(`${name}-a`)
    const sandbox = await Sandbox.open('')
    try {
      const { child, ended } = sandbox.start(
        'backup',
        { 'database-url': '', volumes: `app=docker:${name}`, 'stop-containers': `${name}-a`, 'stop-mode': 'pause', 'post-command': `echo done > ${folder}/after`, ...image() },
        { variables: docker.variables, killed: true },
      )
      await until(async () => state(`${name}-a`) === 'paused')
      child.kill(signal)
      await ended
      await until(async () => state(`${name}-a`) === 'running' && docker.run('ps', '--all', '--quiet', '--filter', 'label=io.github.lifeboat=volume') === '' && existsSync(`${folder}/after`))
    } finally {
      sandbox.close()
    }
  })
})
