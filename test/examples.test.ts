import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import { type Action, actions, inputsOf, outputsOf, parseInputs } from '../src/commands/all.ts'
import { actionlint } from './support/actionlint.ts'
import { folderOf, step, workflow } from './support/workflow.ts'

const root = path.join(import.meta.dirname, '..')
const folder = path.join(root, 'workflows-examples')

const readme = readFileSync(path.join(root, 'README.md'), 'utf8')
const pasted = yamlIn(readme)
const files = readdirSync(folder)
const whole = [
  ...files.map((name) => ({ name, text: readFileSync(path.join(folder, name), 'utf8') })),
  ...pasted.filter((text) => text.includes('jobs:')).map((text, index) => ({ name: `README.md ${index + 1}`, text })),
]

function yamlIn(markdown: string): string[] {
  return [...markdown.matchAll(/^( *)```yaml\n([\s\S]*?)\n\1```$/gm)].map((match) => match[2]!.replaceAll(new RegExp(`^${match[1]}`, 'gm'), ''))
}

/** The command of one of our actions, or undefined for another action. */
function commandOf(uses: string): Action | undefined {
  const folder = folderOf(uses)
  if (folder === undefined) return undefined
  const command = actions.find((command) => command === (folder || 'backup'))
  if (command === undefined) throw new Error(`there is no action ${uses}`)
  return command
}

/** The inputs of a step as the runner would pass them, with something plausible for every expression. */
function rawInputs(command: Action, given: z.infer<typeof step>['with']): Record<string, string> {
  const stand = (name: string, expression: string): string => {
    if (name === 'part' || name === 'plan') return inputsOf(command).find(([known]) => known === name)![1].example
    if (/secrets\.SERVER_\w*URL/.test(expression)) return 'postgres://user:password@host'
    if (/secrets(\.\w*URL|\[)/.test(expression)) return 'postgres://user:password@host/app'
    if (name === 'notify') return inputsOf(command).find(([known]) => known === name)![1].example
    if (name === 'ssh-known-hosts') return `host ssh-ed25519 ${Buffer.from('\0\0\0\u000bssh-ed25519').toString('base64')}`
    return inputsOf(command).find(([known]) => known === name)?.[1].flag ? 'true' : name === 'snapshot' ? 'latest' : 'something'
  }
  return Object.fromEntries(Object.entries(given ?? {}).map(([name, value]) => [name, String(value).replaceAll(/\$\{\{.*?\}\}/g, (expression) => stand(name, expression))]))
}

/** The variables that every step of a workflow has. */
const WORKFLOW = { GITHUB_REPOSITORY: 'octo/shop', GITHUB_TOKEN: 'a token' }

test('there are examples for every occasion, and one in the README', () => {
  const names = ['docker-volumes', 'freshness', 'many-databases', 'many-machines', 'managed-postgresql', 'pre-deploy-backup', 'restore', 'scheduled-backup', 'scheduled-backup-s3', 'self-hosted-runner', 'weekly-drill', 'weekly-verification']
  expect(files.toSorted()).toEqual(names.map((name) => `${name}.yml`).toSorted())
  expect(whole).toHaveLength(13)
  expect(pasted).toHaveLength(2)
})

/** The inputs of each step of ours in a workflow. */
function given(name: string): Record<string, unknown>[] {
  const { jobs } = workflow.parse(parse(whole.find((one) => one.name === name)!.text))
  return Object.values(jobs).flatMap(({ steps }) => steps.flatMap((step) => (step.with && step.uses?.startsWith('OWNER/') ? [step.with] : [])))
}

test('the workflows that share the set of the README fit together', () => {
  for (const name of ['README.md 1', 'scheduled-backup.yml', 'pre-deploy-backup.yml', 'restore.yml', 'weekly-verification.yml']) {
    expect([name, given(name).map(({ set }) => set)]).toEqual([name, given(name).map(() => 'production')])
  }
  // A database that a backup of the set lacks counts as missing.
  expect(given('pre-deploy-backup.yml')[0]!['database-url']).toBe(given('scheduled-backup.yml')[0]!['database-url'])
  expect(given('README.md 1')[0]!['database-url']).toMatch(/^app=/)
})

test('actionlint finds no fault with any of them', () => {
  expect(actionlint(whole.map(({ text }) => text))).toContain('All workflow files passed')
})

test('actionlint would find a fault', () => {
  expect(() => actionlint([whole[0]!.text.replace('runs-on:', 'run-on:')])).toThrow()
})

describe.each(whole)('$name', ({ text }) => {
  const parsed = workflow.parse(parse(text))
  const steps = Object.values(parsed.jobs).flatMap((job) => job.steps)
  const ours = steps.flatMap((step) => {
    const command = step.uses === undefined ? undefined : commandOf(step.uses)
    return command === undefined ? [] : [{ ...step, command }]
  })

  test('gives our actions inputs that they take, and all that they require', () => {
    expect(ours.length).toBeGreaterThan(0)
    for (const { command, with: given } of ours) expect(() => parseInputs(command, rawInputs(command, given), WORKFLOW)).not.toThrow()
  })

  test('uses only outputs that there are', () => {
    for (const [, id, output] of text.matchAll(/steps\.([a-z-]+)\.outputs\.([a-z-]+)/g)) {
      const step = ours.find((step) => step.id === id)!
      expect(outputsOf(step.command).map(([name]) => name)).toContain(output)
    }
  })

  test('asks for no permission it does not need, and cannot run for ever or twice at once', () => {
    for (const level of Object.values(parsed.permissions)) expect(level).toBe('read')
    for (const job of Object.values(parsed.jobs)) {
      expect(job['timeout-minutes']).toBeGreaterThan(0)
      // Only an issue and the job's own identity take more than reading.
      for (const [scope, level] of Object.entries(job.permissions ?? {})) expect([scope, level]).toEqual([scope, ['issues', 'id-token'].includes(scope) ? 'write' : 'read'])
    }
  })

  test('pins the actions of others to a commit', () => {
    for (const { uses } of steps) if (uses !== undefined && commandOf(uses) === undefined) expect(uses).toMatch(/@[0-9a-f]{40}$/)
  })
})

const pages = readdirSync(path.join(root, 'docs')).filter((name) => name.endsWith('.md'))
const steps = [...pasted, ...pages.flatMap((name) => yamlIn(readFileSync(path.join(root, 'docs', name), 'utf8')))].filter((text) => text.startsWith('- uses:'))

test('there are single steps in the README and in docs', () => {
  expect(steps.length).toBeGreaterThanOrEqual(4)
})

test.each(steps)('the inputs of a single step, %#, are those of its action', (text) => {
  const [given] = z.array(step).parse(parse(text))
  const command = commandOf(given!.uses!)!
  expect(parseInputs(command, rawInputs(command, given!.with), WORKFLOW)).toMatchObject(command === 'backup' ? { destinations: expect.anything() } : { destination: expect.anything() })
})

test('a misspelled input in an example would be found', () => {
  expect(() => parseInputs('verify', rawInputs('verify', { levle: 'read' }), {})).toThrow('did you mean level?')
})
