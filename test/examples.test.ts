import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import { type Action, actions, commands, inputsOf, outputsOf, parseInputs } from '../src/commands/all.ts'
import { filled } from '../src/inputs/file/fill.ts'
import { readSettings } from '../src/inputs/file/read-settings.ts'
import { actionlint } from './support/actionlint.ts'
import { folderOf, step, withVolume, workflow } from './support/workflow.ts'

const root = path.join(import.meta.dirname, '..')
const folder = path.join(root, 'workflows-examples')

const readme = readFileSync(path.join(root, 'README.md'), 'utf8')
const pasted = yamlIn(readme)
const files = readdirSync(folder).filter((name) => name !== 'lifeboat.yml')
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
    // A form in which something else is chosen.
    if (/^\$\{\{ inputs\.\w+ == '/.test(expression)) return 'false'
    if (name === 'part' || name === 'plan') return inputsOf(command).find(([known]) => known === name)![1].example
    if (/secrets\.SERVER_\w*URL/.test(expression)) return 'postgres://user:password@host'
    if (/secrets(\.\w*URL|\[)/.test(expression)) return 'postgres://user:password@host/app'
    if (name === 'notify') return inputsOf(command).find(([known]) => known === name)![1].example
    if (name === 'ssh-known-hosts') return `host ssh-ed25519 ${Buffer.from('\0\0\0\u000bssh-ed25519').toString('base64')}`
    return inputsOf(command).find(([known]) => known === name)?.[1].flag ? 'true' : name === 'snapshot' ? 'latest' : 'something'
  }
  return Object.fromEntries(Object.entries(given ?? {}).map(([name, value]) => [name, String(value).replaceAll(/\$\{\{.*?\}\}/g, (expression) => stand(name, expression))]))
}

/** The same with those of its configuration file, which is read as a step of the workflow reads it. */
async function withFile(command: Action, given: z.infer<typeof step>): Promise<Record<string, string | undefined>> {
  const { config, ...raw } = rawInputs(command, given.with)
  if (config === undefined) return raw
  const rows = commands.map((name) => ({ name, rows: inputsOf(name) }))
  const variables = Object.fromEntries(Object.keys(given.env ?? {}).map((name) => [name, name.endsWith('_URL') ? 'postgres://user:password@host/app' : name.endsWith('WEBHOOK') ? 'https://hooks.example.com/x' : 'a-long-enough-secret']))
  const file = await readSettings(path.join(folder, config), false, rows, variables)
  const result = filled(command, inputsOf(command), raw, file, variables)
  expect([file!.problems, file!.warnings, result.problems, result.overridden]).toEqual([[], [], [], []])
  return result.raw
}

/** The variables that every step of a workflow has. */
const WORKFLOW = { GITHUB_REPOSITORY: 'octo/shop', GITHUB_TOKEN: 'a token' }

test('there are examples for every occasion, and one in the README', () => {
  const names = ['configured', 'docker-volumes', 'freshness', 'many-databases', 'many-machines', 'managed-postgresql', 'notifications', 'pre-deploy-backup', 'report-pages', 'restore', 'scheduled-backup', 'scheduled-backup-s3', 'self-hosted-runner', 'weekly-drill', 'weekly-verification']
  expect(files.toSorted()).toEqual(names.map((name) => `${name}.yml`).toSorted())
  expect(whole).toHaveLength(16)
  expect(pasted).toHaveLength(2)
})

/** The inputs of each step of ours in a workflow. */
function given(name: string): Record<string, unknown>[] {
  const { jobs } = workflow.parse(parse(whole.find((one) => one.name === name)!.text))
  return Object.values(jobs).flatMap(({ steps }) => steps.flatMap((step) => (step.with && step.uses?.startsWith('OWNER/') ? [step.with] : [])))
}

test('the workflows that share the set of the README fit together', () => {
  const otherSets = ['many-databases.yml', 'many-machines.yml']
  // These are about every set.
  const all = ['freshness.yml', 'report-pages.yml', 'configured.yml']
  for (const { name } of whole.filter(({ name }) => ![...otherSets, ...all].includes(name))) {
    expect([name, given(name).map(({ set }) => set)]).toEqual([name, given(name).map(() => 'production')])
    if (name !== 'restore.yml') for (const { 'database-url': url = 'app=' } of given(name)) expect([name, url]).toEqual([name, expect.stringMatching(/^app=/)])
  }
  // One that reads backups says where another destination is given.
  for (const name of ['freshness.yml', 'report-pages.yml', 'restore.yml', 'weekly-drill.yml', 'weekly-verification.yml']) {
    const { text } = whole.find((one) => one.name === name)!
    expect([name, text.match(/^ {10}# destination: /gm)?.length]).toEqual([name, given(name).length])
    expect(() => parseInputs('check', { 'encryption-key': 'a key', destination: / # destination: (.*)$/m.exec(text)![1]! }, {})).not.toThrow()
  }
  // A database that a backup of the set lacks counts as missing.
  expect(given('pre-deploy-backup.yml')[0]!['database-url']).toBe(given('scheduled-backup.yml')[0]!['database-url'])
  expect(given('README.md 1')[0]!['database-url']).toMatch(/^app=/)
})

test('the configuration file of the examples reaches every command that it is for', async () => {
  const rows = commands.map((name) => ({ name, rows: inputsOf(name) }))
  const example = readFileSync(path.join(folder, 'lifeboat.yml'), 'utf8')
  expect(parse(example)).not.toHaveProperty('volumes')
  const place = mkdtempSync(path.join(tmpdir(), 'lifeboat-examples-'))
  writeFileSync(path.join(place, 'lifeboat.yml'), withVolume(example))
  const { settings, problems, warnings } = (await readSettings(path.join(place, 'lifeboat.yml'), false, rows, {}))!
  rmSync(place, { recursive: true })
  expect([problems, warnings]).toEqual([[], []])
  expect(settings.filter(({ takers }) => takers.length === 0)).toEqual([])
  const raw = (command: Action) => filled(command, inputsOf(command), {}, { path: '', named: true, settings, problems, warnings }, { LIFEBOAT_ENCRYPTION_KEY: 'k', APP_DATABASE_URL: 'u', BILLING_PASSWORD: 'p', SLACK_WEBHOOK: 's' }).raw
  expect(raw('backup')).toMatchObject({ verify: 'read', tags: 'nightly', 'database-url': 'app=u\nbilling=postgres://backup:p@db.example.com:5432/billing', exclude: 'uploads=cache/\nuploads=*.tmp' })
  expect(raw('restore')).toEqual({ set: 'production', destination: 's3://backups/production?region=eu-central-1', mode: 'swap', notify: 'slack:s on failure, recovered' })
  expect(raw('prune')).toMatchObject({ retention: 'last=3\ndaily=7\nweekly=4\nmonthly=12' })
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

  test('gives our actions inputs that they take, and all that they require', async () => {
    expect(ours.length).toBeGreaterThan(0)
    for (const { command, ...step } of ours) {
      const raw = await withFile(command, step)
      expect(() => parseInputs(command, raw, { ...step.env, ...WORKFLOW })).not.toThrow()
    }
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
      // Only an issue, a page and the job's own identity take more than reading.
      for (const [scope, level] of Object.entries(job.permissions ?? {})) expect([scope, level]).toEqual([scope, ['issues', 'id-token', 'pages'].includes(scope) ? 'write' : 'read'])
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

test.each(steps)('the inputs of a single step, %#, are those of its action', async (text) => {
  const [given] = z.array(step).parse(parse(text))
  const command = commandOf(given!.uses!)!
  expect(parseInputs(command, await withFile(command, given!), { ...given!.env, ...WORKFLOW })).toMatchObject(command === 'backup' ? { destinations: expect.anything() } : { destination: expect.anything() })
})

test('a misspelled input in an example would be found', () => {
  expect(() => parseInputs('verify', rawInputs('verify', { levle: 'read' }), {})).toThrow('did you mean level?')
})
