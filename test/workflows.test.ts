import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import { changesOf, releaseNotes } from '../scripts/release-notes.ts'
import { HELPER_IMAGE } from '../src/sources/volumes/docker.ts'
import { actions, outputsOf, parseInputs } from '../src/commands/all.ts'
import { actionlint } from './support/actionlint.ts'

const root = path.join(import.meta.dirname, '..')
const folder = path.join(root, '.github')
const names = readdirSync(path.join(folder, 'workflows'))
const textOf = (file: string): string => readFileSync(path.join(root, file), 'utf8')

const workflow = z.looseObject({
  permissions: z.record(z.string(), z.string()),
  jobs: z.record(
    z.string(),
    z.looseObject({
      if: z.string().optional(),
      environment: z.string().optional(),
      needs: z.string().optional(),
      uses: z.string().optional(),
      'timeout-minutes': z.number().optional(),
      permissions: z.record(z.string(), z.string()).optional(),
      env: z.record(z.string(), z.string()).optional(),
      steps: z.array(z.looseObject({ id: z.string().optional(), name: z.string().optional(), uses: z.string().optional(), run: z.string().optional(), with: z.record(z.string(), z.unknown()).optional() })).default([]),
    }),
  ),
})

test('there are the workflows for tests and releases, and actionlint finds no fault', () => {
  expect(names.toSorted()).toEqual(['ci.yml', 'release.yml'])
  expect(actionlint(names.map((name) => textOf(`.github/workflows/${name}`)))).toContain('All workflow files passed')
})

describe.each(names)('%s', (name) => {
  const text = textOf(`.github/workflows/${name}`)
  const { permissions, jobs } = workflow.parse(parse(text))
  const steps = Object.values(jobs).flatMap((job) => job.steps.map((step) => ({ ...step, env: job.env ?? {} })))

  test('pins actions to a commit, with the version in a comment', () => {
    const used = [...text.matchAll(/uses: (.+)$/gm)].map((match) => match[1]!).filter((uses) => !uses.startsWith('./'))
    expect(used.length).toBeGreaterThan(0)
    for (const uses of used) expect(uses).toMatch(/^[\w-]+\/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/)
  })

  test('has few permissions, and ends in time', () => {
    expect(permissions).toEqual({ contents: 'read' })
    const writing = Object.values(jobs).flatMap((job) => Object.entries(job.permissions ?? {}).filter(([, level]) => level === 'write').map(([scope]) => scope))
    expect(writing).toEqual(name === 'release.yml' ? ['contents', 'id-token', 'attestations', 'id-token', 'packages', 'id-token', 'attestations'] : [])
    // The jobs of a workflow that is called have limits of their own.
    for (const job of Object.values(jobs)) if (job.uses === undefined) expect(job['timeout-minutes']).toBeLessThanOrEqual(120)
  })

  test('gives our actions inputs that they take, and uses only outputs that they have', () => {
    const ours = steps.flatMap((step) => {
      const action = actions.find((action) => step.uses === (action === 'backup' ? './' : `./${action}`))
      return action === undefined ? [] : [{ ...step, action }]
    })
    expect(ours.map(({ action }) => action)).toEqual(name === 'ci.yml' ? ['backup', 'backup', 'list', 'verify', 'restore'] : [])
    for (const { action, with: given, env } of ours) {
      const raw = Object.fromEntries(Object.entries(given ?? {}).map(([input, value]) => [input, String(value).replaceAll(/\$\{\{.*?\}\}/g, input === 'snapshot' ? 'latest' : '1')]))
      expect(() => parseInputs(action, raw, { ...env, GITHUB_REPOSITORY: 'octo/shop', GITHUB_TOKEN: 'a token' })).not.toThrow()
    }
    for (const [, id, output] of text.matchAll(/steps\.([a-z-]+)\.outputs\.([a-z0-9-]+)/g)) {
      const step = ours.find((step) => step.id === id)
      if (step) expect(outputsOf(step.action).map(([name]) => name)).toContain(output)
      else expect(steps.find((step) => step.id === id)?.run).toContain(`${output}=`)
    }
  })

  test('its scripts pass shellcheck, and contain no expression of the runner', () => {
    for (const { run } of steps) {
      if (run === undefined) continue
      expect(run).not.toContain('${{')
      expect(spawnSync('shellcheck', ['--shell=bash', '-'], { input: run, encoding: 'utf8' })).toMatchObject({ status: 0, stdout: '' })
    }
  })

  test('runs npm scripts and programs that exist', () => {
    const { scripts } = z.looseObject({ scripts: z.record(z.string(), z.string()) }).parse(JSON.parse(textOf('package.json')))
    for (const [, script] of text.matchAll(/npm run ([a-z:]+)/g)) expect(Object.keys(scripts)).toContain(script)
    for (const [file] of text.matchAll(/\b(?:scripts|src)\/[\w./-]+\w/g)) expect([file, existsSync(path.join(root, file))]).toEqual([file, true])
  })
})

describe('a release', () => {
  const { jobs } = workflow.parse(parse(textOf('.github/workflows/release.yml')))
  const step = (name: string): string => jobs['release']!.steps.find((step) => step.name === name)!.run!
  let folder = ''

  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-release-'))
    const gh = path.join(folder, 'bin/gh')
    mkdirSync(path.dirname(gh))
    writeFileSync(gh, '#!/bin/sh\necho "$*" >> "$CALLS"\ncase "$*" in *"$MISSING"*) exit 1 ;; esac\n')
    chmodSync(gh, 0o755)
    git('init', '--quiet', '--initial-branch=main')
    commit('first')
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  function git(...args: string[]): string {
    return execFileSync('git', ['-c', 'user.name=n', '-c', 'user.email=n@example.com', ...args], { cwd: folder, encoding: 'utf8' }).trim()
  }
  function commit(message: string): void {
    git('commit', '--quiet', '--allow-empty', `--message=${message}`)
  }
  function run(name: string, tag: string, missing = 'nothing'): { status: number | null; calls: string[] } {
    const calls = path.join(folder, 'calls')
    writeFileSync(calls, '')
    const { status } = spawnSync('bash', ['-e', '-c', step(name)], {
      cwd: folder,
      env: { PATH: `${folder}/bin:${process.env['PATH']}`, CALLS: calls, MISSING: missing, GITHUB_REF_NAME: tag, GITHUB_REPOSITORY: 'o/r', RUNNER_TEMP: '/t' },
    })
    return { status, calls: readFileSync(calls, 'utf8').split('\n').filter((line) => line !== '') }
  }

  test('waits for the tests of ci.yml, which takes calls', () => {
    expect(jobs['release']!.needs).toBe('tests')
    expect(jobs['tests']!.uses).toBe('./.github/workflows/ci.yml')
    expect(z.looseObject({ on: z.looseObject({ workflow_call: z.null() }) }).safeParse(parse(textOf('.github/workflows/ci.yml'))).success).toBe(true)
  })

  test('publishes the package and the image only if the repository says so, somebody agrees, and the release is there', () => {
    const publishing = Object.entries(jobs).filter(([, { steps }]) => steps.some(({ run }) => /npm publish|docker push/.test(run ?? '')))
    expect(publishing.map(([name, { if: condition, environment, needs }]) => [name, condition, environment, needs])).toEqual([
      ['npm', "vars.PUBLISH_NPM == 'true'", 'npm', 'release'], ['image', "vars.PUBLISH_IMAGE == 'true'", 'image', 'release'],
    ])
    expect(textOf('.github/workflows/ci.yml')).not.toMatch(/npm publish|docker (?:push|login)/)
    const npm = jobs['npm']!.steps.find(({ run }) => run?.includes('npm publish'))!.run!
    expect(npm.indexOf('package.ts --release')).toBeLessThan(npm.indexOf('npm publish'))
    expect(npm).toContain('--provenance')
    expect(jobs['image']!.steps.at(-1)).toMatchObject({ uses: expect.stringContaining('attest-build-provenance'), with: { 'push-to-registry': true } })
  })

  test.each([['there already', 0, false], ['new', 1, true]])('of an image that is %s', (_, status, pushes) => {
    const docker = path.join(folder, 'bin/docker')
    const answers = `"manifest inspect "*) exit ${status} ;; "run "*) echo 1.0.0 ;; "image inspect "*) echo ghcr.io/o/r@sha256:abc ;;`
    writeFileSync(docker, `#!/bin/sh\necho "$*" >> "$CALLS"\ncase "$*" in ${answers} login*) cat > /dev/null ;; esac\n`)
    chmodSync(docker, 0o755)
    const [calls, output] = [path.join(folder, 'calls'), path.join(folder, 'output')]
    writeFileSync(output, '')
    const script = jobs['image']!.steps.find(({ run: text }) => text?.includes('docker push'))!.run!
    const variables = { GITHUB_REF_NAME: 'v1.0.0', GITHUB_REPOSITORY: 'O/r', GITHUB_SHA: 'c0ffee', GITHUB_ACTOR: 'a', GH_TOKEN: 't', GITHUB_OUTPUT: output, CALLS: calls }
    const ended = spawnSync('bash', ['-e', '-c', script], { cwd: folder, env: { PATH: `${folder}/bin:${process.env['PATH']}`, ...variables } })
    expect(ended.status).toBe(0)
    expect(readFileSync(calls, 'utf8').includes('push ghcr.io/o/r:1.0.0')).toBe(pushes)
    expect(readFileSync(output, 'utf8')).toBe(pushes ? 'name=ghcr.io/o/r\ndigest=sha256:abc\n' : '')
  })

  test('publishes to npm with a version that knows trusted publishers', () => {
    const steps = jobs['npm']!.steps.map(({ run: text = '' }) => text)
    const [, major, minor, patch] = /npm install --global --ignore-scripts npm@(\d+)\.(\d+)\.(\d+)\n/.exec(steps.join('\n'))!.map(Number)
    expect(major! * 1e6 + minor! * 1e3 + patch!).toBeGreaterThanOrEqual(11_005_001)
    expect(steps.findIndex((text) => text.includes('npm install --global'))).toBeLessThan(steps.findIndex((text) => text.includes('npm publish')))
  })

  test('refuses a commit that is not on main', () => {
    git('update-ref', 'refs/remotes/origin/main', 'HEAD')
    expect(run('The commit is on main', 'v1.0.0').status).toBe(0)
    commit('aside')
    expect(run('The commit is on main', 'v1.0.0').status).toBe(1)
  })

  test('refuses a placeholder in place of the owner', () => {
    const config = path.join(folder, '.github/ISSUE_TEMPLATE/config.yml')
    mkdirSync(path.dirname(config), { recursive: true })
    writeFileSync(config, 'url: https://github.com/octo/lifeboat')
    expect(run('Links to the repository have its owner', 'v1.0.0').status).toBe(0)
    writeFileSync(config, 'url: https://github.com/OWNER/lifeboat')
    expect(run('Links to the repository have its owner', 'v1.0.0').status).toBe(1)
  })

  test('moves the tag of the major version only for its highest version, and can be run again', () => {
    const publish = 'Publish, and move the tag of the major version'
    for (const tag of ['v1', 'v1.9.0', 'v1.10.0', 'v1.11.0-rc1', 'v2.0.0', 'v10.0.0']) git('tag', tag)
    const first = run(publish, 'v1.10.0', 'release view')
    expect(first.status).toBe(0)
    expect(first.calls.map((call) => call.split(' ').slice(0, 2).join(' '))).toEqual(['release view', 'release create', 'api --silent', 'api --silent'])
    expect(first.calls[3]).toBe(`api --silent --method PATCH repos/o/r/git/refs/tags/v1 --field sha=${git('rev-parse', 'HEAD')} --field force=true`)

    const again = run(publish, 'v1.10.0', 'git/ref/tags')
    expect(again.status).toBe(0)
    expect(again.calls.map((call) => call.split(' ').slice(0, 4).join(' '))).toEqual(['release view v1.10.0', 'api --silent repos/o/r/git/ref/tags/v1', 'api --silent --method POST'])

    const older = run(publish, 'v1.9.0', 'release view')
    expect([older.status, older.calls.length]).toEqual([0, 2])
  })
})

test('the tests run on a system that scripts/setup.sh was tried on', () => {
  const { test } = z.looseObject({ jobs: z.looseObject({ test: z.looseObject({ container: z.looseObject({ image: z.string() }) }) }) }).parse(parse(textOf('.github/workflows/ci.yml'))).jobs
  expect(textOf('scripts/setup.sh')).toContain('Tried on Debian 12 and 13')
  expect(['debian:bookworm', 'debian:trixie']).toContain(test.container.image)
})

const form = z.strictObject({
  name: z.string(),
  description: z.string(),
  labels: z.array(z.string()),
  body: z.array(
    z.discriminatedUnion('type', [
      z.strictObject({ type: z.literal('markdown'), attributes: z.strictObject({ value: z.string() }) }),
      z.strictObject({
        type: z.enum(['input', 'textarea', 'dropdown']),
        id: z.string().regex(/^[a-z]+$/),
        attributes: z.strictObject({ label: z.string(), description: z.string().optional(), render: z.string().optional(), options: z.array(z.string()).optional() }),
        validations: z.strictObject({ required: z.boolean() }).optional(),
      }),
    ]),
  ),
})

test.each(['bug.yml', 'feature.yml'])('the issue form %s is one that GitHub takes', (name) => {
  const { body } = form.parse(parse(textOf(`.github/ISSUE_TEMPLATE/${name}`)))
  const ids = body.flatMap((part) => ('id' in part ? [part.id] : []))
  expect(new Set(ids).size).toBe(ids.length)
  for (const part of body) if (part.type === 'dropdown') expect(part.attributes.options!.length).toBeGreaterThan(1)
})

test('dependabot watches packages, actions and images', () => {
  const { version, updates } = z.looseObject({ version: z.number(), updates: z.array(z.looseObject({ 'package-ecosystem': z.string(), directory: z.string().optional(), directories: z.array(z.string()).optional(), schedule: z.strictObject({ interval: z.string() }) })) }).parse(parse(textOf('.github/dependabot.yml')))
  expect([version, updates.map((update) => [update['package-ecosystem'], update.directories ?? [update.directory]])]).toEqual([2, [['npm', ['/']], ['github-actions', ['/']], ['docker', ['/', '/.github/images']]]])
})

test('every image that is run or built on is pinned by its digest, and the one of the program is that which dependabot renews', () => {
  const images = ['Dockerfile', '.github/images/Dockerfile'].map((file) => [...textOf(file).matchAll(/^FROM (\S+)/gm)].map(([, image]) => image!))
  expect(images[1]).toEqual([HELPER_IMAGE])
  for (const image of images.flat()) expect(image).toMatch(/^[a-z/]+:[\w.-]+@sha256:[0-9a-f]{64}$/)
})

test('the text of a release has the changes of its version, and the SHA-256 of every file of dist and of recover.sh', () => {
  expect(changesOf('# Changelog\n\n## Unreleased\n\n- a\n\n## 1.2.0 - 2026-01-02\n\n- b\n\n## 1.1.0\n\n- c\n', '1.2.0')).toBe('- b')
  expect(() => changesOf('# Changelog\n\n## 1.2.0\n', '1.2')).toThrow('no section 1.2')
  const notes = releaseNotes('vUnreleased')
  expect(spawnSync('sha256sum', ['--check', '--strict'], { cwd: root, input: notes.split('```text\n')[1]!.split('```')[0]!, encoding: 'utf8' })).toMatchObject({ status: 0 })
  for (const file of ['src/repository/recovery/recover.sh', 'dist/terminal.js', 'dist/cli.js', 'dist/post.js']) expect(notes).toMatch(new RegExp(`^[0-9a-f]{64}  ${file}$`, 'm'))
  expect(textOf('docs/recovery.md')).toContain(notes.split('  src/repository/recovery/recover.sh')[0]!.slice(-64))
})
