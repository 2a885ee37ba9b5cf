import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import { changesOf, releaseNotes } from '../scripts/release-notes.ts'
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
      'timeout-minutes': z.number(),
      permissions: z.record(z.string(), z.string()).optional(),
      env: z.record(z.string(), z.string()).optional(),
      steps: z.array(z.looseObject({ id: z.string().optional(), uses: z.string().optional(), run: z.string().optional(), with: z.record(z.string(), z.unknown()).optional() })),
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
    expect(writing).toEqual(name === 'release.yml' ? ['contents', 'id-token', 'attestations'] : [])
    for (const job of Object.values(jobs)) expect(job['timeout-minutes']).toBeLessThanOrEqual(120)
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

test('dependabot watches packages and actions', () => {
  const { version, updates } = z.looseObject({ version: z.number(), updates: z.array(z.looseObject({ 'package-ecosystem': z.string(), directory: z.string(), schedule: z.strictObject({ interval: z.string() }) })) }).parse(parse(textOf('.github/dependabot.yml')))
  expect([version, updates.map((update) => update['package-ecosystem'])]).toEqual([2, ['npm', 'github-actions']])
})

test('the text of a release has the changes of its version, and the SHA-256 of every file of dist and of recover.sh', () => {
  expect(changesOf('# Changelog\n\n## Unreleased\n\n- a\n\n## 1.2.0 - 2026-01-02\n\n- b\n\n## 1.1.0\n\n- c\n', '1.2.0')).toBe('- b')
  expect(() => changesOf('# Changelog\n\n## 1.2.0\n', '1.2')).toThrow('no section 1.2')
  const notes = releaseNotes('vUnreleased')
  expect(spawnSync('sha256sum', ['--check', '--strict'], { cwd: root, input: notes.split('```text\n')[1]!.split('```')[0]!, encoding: 'utf8' })).toMatchObject({ status: 0 })
  for (const file of ['src/repository/recovery/recover.sh', 'dist/index.js', 'dist/cli.js', 'dist/post.js']) expect(notes).toMatch(new RegExp(`^[0-9a-f]{64}  ${file}$`, 'm'))
  expect(textOf('docs/recovery.md')).toContain(notes.split('  src/repository/recovery/recover.sh')[0]!.slice(-64))
})
