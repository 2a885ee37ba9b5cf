import { readFileSync } from 'node:fs'
import path from 'node:path'
import { parse } from 'yaml'
import { examplesModule } from '../../../scripts/embed-examples.ts'
import { type Action, actions, inputsOf, parseInputs } from '../../../src/commands/all.ts'
import { chosenOf, namedDatabases } from '../../../src/commands/init/answers.ts'
import { type Earlier, earlierAnswers, earlierTime } from '../../../src/commands/init/earlier.ts'
import { repositoryIn } from '../../../src/commands/init/github.ts'
import { servicesIn, variablesIn } from '../../../src/commands/init/traces.ts'
import { type WorkflowPlan, workflowsOf } from '../../../src/commands/init/workflows.ts'
import { completeDatabaseFromVariables } from '../../../src/sources/known-kinds.ts'
import { unifiedDiff } from '../../../src/report/unified-diff.ts'
import { actionlint } from '../../support/actionlint.ts'
import { workflow } from '../../support/workflow.ts'

const plan: WorkflowPlan = {
  action: 'octo/lifeboat@v1.2.3', set: 'shop', databases: [{ name: 'app', secret: 'DATABASE_URL' }],
  destination: undefined, credentials: [], settings: [], recipients: [], retention: '30d', runner: 'ubuntu-24.04', major: 16,
  times: { backup: { hour: 2, minute: 41 }, drill: { hour: 3, minute: 7 }, freshness: { hour: 7, minute: 52 } },
}
const plans: [string, WorkflowPlan][] = [
  ['artifacts', plan],
  ['S3 with a key, two databases, a recipient', {
    ...plan, databases: [{ name: 'app', secret: 'APP_DATABASE_URL' }, { name: 'crm', secret: 'CRM_DATABASE_URL' }],
    destination: { text: 's3://backups/app', secret: false }, credentials: ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'], settings: [['AWS_REGION', 'eu-central-1']],
    recipients: [`age1${'q'.repeat(58)}`], retention: 'daily=7 weekly=4',
  }],
  ['S3 with a region', { ...plan, destination: { text: 's3://backups/app?region=eu-central-1', secret: false } }],
  ['a secret destination', { ...plan, destination: { text: 'webdavs://***', secret: true } }],
  ['a folder with signs in its name, on a runner of its own', { ...plan, destination: { text: 'file:/mnt/a $& ${{ b }}: "c"', secret: false }, runner: 'self-hosted', major: undefined }],
]

/** A value for an expression, as the runner would pass it. */
function standIn(name: string, value: string): string {
  if (name === 'destination' && value.includes('secrets.')) return 'webdavs://user:password@host/folder'
  return value.replaceAll(/\$\{\{.*?\}\}/g, (expression) => {
    // A form in which something else is chosen.
    if (/^\$\{\{ inputs\.\w+ == '/.test(expression)) return 'false'
    if (/secrets\.\w*URL/.test(expression)) return 'postgres://user:password@host/app'
    // A form in which something else is chosen.
    if (/^\$\{\{ inputs\.\w+ == '/.test(expression)) return 'false'
    return inputsOf('restore').find(([known]) => known === name)?.[1].flag ? 'true' : name === 'snapshot' ? 'latest' : 'something'
  })
}

describe.each(plans)('workflows for %s', (_, plan) => {
  const texts = workflowsOf(plan)

  test('actionlint finds no fault', () => {
    expect(actionlint(Object.values(texts))).toContain('All workflow files passed')
  })

  test('every step of ours has inputs that the action takes, the destination and the credentials', () => {
    for (const text of Object.values(texts)) {
      for (const { steps } of Object.values(workflow.parse(parse(text)).jobs)) {
        for (const { uses, with: given = {}, env = {} } of steps) {
          const [, command = 'backup'] = /^octo\/lifeboat(?:\/(\w+))?@v1\.2\.3$/.exec(uses ?? '') ?? []
          if (uses === undefined) continue
          expect(uses).toMatch(/^octo\/lifeboat/)
          const action: Action = actions.find((action) => action === command)!
          const raw = Object.fromEntries(Object.entries(given).map(([name, value]) => [name, standIn(name, String(value))]))
          expect(() => parseInputs(action, raw, { GITHUB_REPOSITORY: 'octo/shop', GITHUB_TOKEN: 'a token' })).not.toThrow()
          expect('destination' in given).toBe(plan.destination !== undefined)
          expect(Object.keys(env)).toEqual([...plan.settings.map(([name]) => name), ...plan.credentials])
        }
      }
    }
  })

  test('a second run finds the answers in them', async () => {
    const text = texts['lifeboat-backup.yml']
    expect(await earlierAnswers(text)).toMatchObject({
      action: plan.action, set: plan.set, retention: plan.retention, runner: plan.runner, at: plan.times.backup,
      destination: plan.destination?.secret ? undefined : plan.destination?.text, unknown: plan.destination?.secret ? ['destination'] : [],
      ...(plan.recipients.length > 0 && { recipients: plan.recipients.join(', ') }),
    })
    expect(await earlierTime(texts['lifeboat-drill.yml'])).toEqual(plan.times.drill)
  })
})

test('an answer that somebody changed is found without its comment, or known to be unknown', async () => {
  const text = workflowsOf({ ...plan, destination: { text: 's3://backups/app', secret: false } })['lifeboat-backup.yml']!
  const changed = async (...[from, to]: [from: string, to: string]): Promise<Earlier> => {
    expect(text).toContain(from)
    return earlierAnswers(text.replace(from, () => to))
  }
  expect(await changed('set: shop', "set: 'shop' # main")).toMatchObject({ set: 'shop', unknown: [] })
  expect(await changed('    steps:\n', '    steps:\n      - uses: actions/checkout@v4\n')).toMatchObject({ action: plan.action, set: 'shop' })
  expect(await changed('set: shop', 'set: ${{ vars.SET }}\n          recipients: ${{ vars.KEPT }}')).toMatchObject({ unknown: ['recipients', 'set'] })
  expect(await changed('          destination: s3://backups/app\n', '')).toMatchObject({ destination: undefined, unknown: [] })
  expect(await changed('        with:\n          destination: s3://backups/app\n', '        env:\n          LIFEBOAT_DESTINATION: x\n        with:\n'))
    .toMatchObject({ unknown: ['destination'] })
  expect(await changed('          destination: s3://backups/app\n', '          config: lifeboat.yml\n')).toMatchObject({ unknown: ['destination', 'recipients'] })
  expect(await changed('ubuntu-24.04', '[self-hosted, linux]')).toMatchObject({ unknown: ['runner'] })
  await expect(changed('jobs:', 'jobs: [')).rejects.toThrow('is not a valid workflow')
})

test('the texts say what is true of the plan', () => {
  const [artifacts, bucket] = plans.map(([, plan]) => workflowsOf(plan)['lifeboat-backup.yml']!)
  expect(artifacts).toContain('No other account is needed.')
  expect(bucket).toContain('# Every night: back up to s3://backups/app, and check that all of it is there.')
  expect(bucket).not.toMatch(/artifacts|actions: read/)
  expect(bucket).toContain('            app=${{ secrets.APP_DATABASE_URL }}\n            crm=${{ secrets.CRM_DATABASE_URL }}\n          # `lifeboat key write`')
})

test('each choice that an example leaves to its reader is made', () => {
  for (const [, plan] of plans) {
    const texts = workflowsOf(plan)
    expect(texts['lifeboat-freshness.yml']).toMatch(/^ {10}max-proof-age: 8d$/m)
    for (const text of Object.values(texts)) expect(text).not.toMatch(/# destination|# max-proof-age|assert|weekly-|of backups elsewhere|A condition/)
  }
})

test('the drill on a machine of its own needs no port and no docker there, and claims no other machine', () => {
  const [hosted, own] = [plan, plans.at(-1)![1]].map((plan) => workflowsOf(plan)['lifeboat-drill.yml']!)
  for (const text of ['services:', 'scratch-url: ', 'on another machine', 'image: postgres:16']) {
    expect(hosted).toContain(text)
    expect(own).not.toContain(text)
  }
  expect(own).toContain('level: drill')
})

test('the embedded examples are those of workflows-examples', () => {
  expect(readFileSync(path.join(import.meta.dirname, '../../../src/commands/init/examples.ts'), 'utf8')).toBe(examplesModule())
})

test('secrets are named after the databases', () => {
  expect(namedDatabases('postgres://u:p@h/app').map(({ name, secret }) => [name, secret])).toEqual([['app', 'DATABASE_URL']])
  const several = namedDatabases('a-b=postgres://u:p@h/x\n\npostgres://u:p@h/a.b\n1=postgres://u:p@h/y')
  expect(several.map(({ name, secret, url }) => [name, secret, url])).toEqual([
    ['a-b', 'A_B_DATABASE_URL', 'postgres://u:p@h/x'], ['a.b', 'A_B_DATABASE_URL_2', 'postgres://u:p@h/a.b'], ['1', 'DB_1_DATABASE_URL', 'postgres://u:p@h/y'],
  ])
})

test.each([
  ['git@github.com:octo/shop.git', 'octo/shop'], ['https://github.com/octo/shop', 'octo/shop'], ['https://x:token@github.com/octo/shop.git', 'octo/shop'],
  ['ssh://git@github.com/octo/shop.js.git', 'octo/shop.js'], ['https://gitlab.com/octo/shop', undefined], ['/srv/git/shop.git', undefined], ['', undefined],
])('the repository of the remote %s', (remote, repository) => {
  expect(repositoryIn(remote)).toBe(repository)
})

test.each([
  ['2', 'b'], ['1 2', 'a\nb'], ['2,1,2', 'b\na'], ['3', '3'], ['0', '0'], ['1 x', '1 x'], ['postgres://u:p@h/1', 'postgres://u:p@h/1'],
])('the databases that are meant by %s', (line, meant) => {
  expect(chosenOf(line, [{ value: 'a' }, { value: 'b' }])).toBe(meant)
})

test('databases in files of variables and of containers', () => {
  const text = 'PORT=1\nexport DATABASE_URL="postgres://u:p@h/app"\nREDIS_URL=redis://h\nDATABASE_URL_OLD=postgres://h/x\n  ANALYTICS_DB_URL = postgresql://h/y\n'
  expect(variablesIn(text)).toEqual([{ name: 'DATABASE_URL', value: 'postgres://u:p@h/app' }, { name: 'ANALYTICS_DB_URL', value: 'postgresql://h/y' }])
  const commented = `A_DB_URL=postgres://u:p@h/a # dev\r\nB_DB_URL="postgres://u:p@h/b" # it's "dev"\nC_DB_URL='postgres://u:p@h/c'# x\nD_DB_URL=postgres://u:p#1@h/d\n`
  expect(variablesIn(commented).map(({ value }) => value)).toEqual(['a', 'b', 'c'].map((name) => `postgres://u:p@h/${name}`).concat('postgres://u:p#1@h/d'))
  const compose = 'services:\n  web:\n    image: nginx\n  db:\n    ports: ["5432:5432"]\n    image: "postgis/postgis:16-3.4"\n  cache:\n    image: redis:7\n'
  expect(servicesIn(compose)).toEqual([{ service: 'db', image: 'postgis/postgis:16-3.4' }])
})

test('the URL of the variables of libpq is complete, or there is none', () => {
  const all = { PGHOST: 'db.example.com', PGUSER: 'app', PGPASSWORD: 'p@ss/ö', PGDATABASE: 'a b', PGPORT: '5433', PGSSLMODE: 'require' }
  expect(completeDatabaseFromVariables(all)).toBe('postgres://app:p%40ss%2F%C3%B6@db.example.com:5433/a%20b?sslmode=require')
  expect(completeDatabaseFromVariables({ ...all, PGHOST: '::1', PGSSLMODE: undefined, PGPORT: undefined })).toBe('postgres://app:p%40ss%2F%C3%B6@[::1]:5432/a%20b')
  for (const missing of ['PGHOST', 'PGUSER', 'PGPASSWORD', 'PGDATABASE']) expect(completeDatabaseFromVariables({ ...all, [missing]: undefined })).toBeUndefined()
  for (const more of [{ PGSERVICE: 'x' }, { PGHOST: '/run/postgresql' }]) expect(completeDatabaseFromVariables({ ...all, ...more })).toBeUndefined()
})

test('a diff as diff -u prints it', () => {
  const before = Array.from({ length: 12 }, (_, index) => `line ${index + 1}`).join('\n')
  const after = before.replace('line 2\n', '').replace('line 12', 'line twelve\nmore')
  expect(unifiedDiff('x.yml', `${before}\n`, `${after}\n`)).toBe([
    '--- a/x.yml', '+++ b/x.yml', '@@ -1,5 +1,4 @@', ' line 1', '-line 2', ' line 3', ' line 4', ' line 5',
    '@@ -9,4 +8,5 @@', ' line 9', ' line 10', ' line 11', '-line 12', '+line twelve', '+more',
  ].join('\n'))
  expect(unifiedDiff('x.yml', undefined, 'a\nb\n')).toBe('--- /dev/null\n+++ b/x.yml\n@@ -0,0 +1,2 @@\n+a\n+b')
  expect(unifiedDiff('x.yml', 'a\n', 'a\n')).toBe('')
})
