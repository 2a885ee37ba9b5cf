import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { page } from '../bench/page.ts'
import { type Figure, folder, resultsOf, theResults } from '../bench/results.ts'
import { DUMP, tableNames, tables } from '../bench/tables.ts'

const root = path.join(import.meta.dirname, '..')
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8')
const made = page(read('docs/benchmarks.md'))

test.each(['docs/benchmarks.md', 'docs/scale.md'])('%s is what the figures give', (file) => {
  expect(page(read(file)).text).toBe(read(file))
})

test('the pictures are what the figures give, and there are no others', () => {
  const there = readdirSync(folder).filter((name) => name.endsWith('.svg'))
  expect(there.toSorted()).toEqual([...made.pictures.keys()].toSorted())
  for (const name of there) expect([name, readFileSync(path.join(folder, name), 'utf8')]).toEqual([name, made.pictures.get(name)])
})

test('every file of figures is of a table, and every table has its place on the page and a command', () => {
  const files = readdirSync(folder).filter((name) => name.endsWith('.json'))
  expect(tableNames.flatMap((name) => resultsOf(name)).length).toBe(files.length)
  const { scripts }: { scripts: Record<string, string> } = JSON.parse(read('package.json'))
  for (const name of tableNames) {
    expect(made.text).toContain(`<!-- ${name} -->\n`)
    expect(scripts).toHaveProperty([/npm run (\S+)/.exec(tables[name].command)![1]!])
  }
})

/** The median in a table: of Lifeboat, unless another program is given. */
const of = (table: string, scenario: string, figure: Figure = 'seconds', program = 'Lifeboat'): number => theResults(table).median(scenario, program, figure)
const ratio = (table: string, scenario: string, figure: Figure, program: string, against: string): number => of(table, scenario, figure, program) / of(table, scenario, figure, against)
const memory = (table: string): number => Math.max(...theResults(table).file.samples.map(({ peak = 0 }) => peak)) / 2 ** 20
const stored = (schedule: string, day: number, figure: Figure = 'stored'): number => of('artifact-storage', schedule, figure, `day ${day}`)
const [DAILY, HOURLY] = ['daily, 100 MB', 'hourly, 20 MB'] as const
const timesFirst = (schedule: string, day: number): number => stored(schedule, day) / stored(schedule, 1)

interface Claim {
  file: string
  /** As it is on the page, with # for each number. */
  says: string
  /** The numbers in the figures. */
  measured: () => number[]
  /** How far the page may be from them; default: a tenth. Times depend on the hour and the machine. */
  within?: number
}

const claims: Claim[] = [
  { file: 'docs/benchmarks.md', says: '`pg_dump >/dev/null` alone takes # of the time that restic takes', measured: () => [ratio('shop', 'first backup', 'seconds', DUMP, 'restic')] },
  { file: 'docs/benchmarks.md', says: 'it adds # MB\nand restic # MB', measured: () => ['Lifeboat', 'restic'].map((program) => of('files-source', 'after changes', 'added', program) / 1e6), within: 0.01 },
  { file: 'docs/scale.md', says: '| stored after the first night | 100 TB × # |', measured: () => [of('shop', 'first backup', 'stored') / 1e9] },
  { file: 'docs/scale.md', says: 'so # % of what is read is added', measured: () => [of('shop', 'after changes', 'added') / 1e8] },
  { file: 'docs/scale.md', says: '| memory of a job | as measured with 120 backups | about # GiB |', measured: () => [memory('sets') / 1024], within: 0.2 },
  {
    file: 'docs/stores.md', says: '| daily for 90 days, `daily=30`: after 30 days, 90 days | #, # | #, # | #, # MB |',
    measured: () => [stored(DAILY, 30, 'artifacts'), stored(DAILY, 90, 'artifacts'), timesFirst(DAILY, 30), timesFirst(DAILY, 90), stored(DAILY, 30, 'uploaded') / 1e6, stored(DAILY, 90, 'uploaded') / 1e6],
  },
  {
    file: 'docs/stores.md', says: '| hourly, `within=2d daily=30`: after 15 days, 30 days | #, # | #, # | #, # MB |',
    measured: () => [stored(HOURLY, 15, 'artifacts'), stored(HOURLY, 30, 'artifacts'), timesFirst(HOURLY, 15), timesFirst(HOURLY, 30), stored(HOURLY, 15, 'uploaded') / 1e6, stored(HOURLY, 30, 'uploaded') / 1e6],
  },
  { file: 'docs/stores.md', says: '| `backup` | #;', measured: () => [of('artifact-requests', 'backup', 'requests')] },
  { file: 'docs/stores.md', says: '| `list`, `check` | #, # |', measured: () => ['list', 'check'].map((command) => of('artifact-requests', command, 'requests')) },
  { file: 'docs/stores.md', says: '| `verify`, `restore` | #, #;', measured: () => ['verify, level list', 'restore'].map((command) => of('artifact-requests', command, 'requests')) },
  { file: 'docs/stores.md', says: '100 a request: # requests with 2,326 artifacts', measured: () => [of('artifact-requests', 'list of all sets', 'requests')] },
  {
    file: 'docs/reference.md', says: 'fast takes about # of the CPU time that compression takes at 1, and stores # to # times as much',
    measured: () => [
      ratio('levels', 'shop, zstd alone', 'cpuSeconds', 'Lifeboat, fast', 'Lifeboat, 1'),
      ...['shop', 'accounts'].map((dump) => ratio('levels', `${dump}, zstd alone`, 'stored', 'Lifeboat, fast', 'Lifeboat, 1')),
    ],
    within: 0.2,
  },
]

test.each(claims)('$file: "$says"', ({ file, says, measured, within = 0.1 }) => {
  const pattern = says.split('#').map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)).join('([0-9][0-9.,]*)')
  const found = new RegExp(pattern).exec(read(file))
  if (!found) throw new Error(`${file} does not say this any more`)
  const figures = measured()
  const wrong = found.slice(1).map((number) => Number(number.replaceAll(',', ''))).flatMap((number, index) =>
    Math.abs(number / figures[index]! - 1) <= within ? [] : [`it says ${number}, the figures ${figures[index]!.toPrecision(3)}`])
  expect(wrong).toEqual([])
})

test('a first backup stores a quarter to a third of a dump, as the doctor says, and fast stores less than borg', () => {
  const [part, borg] = [of('shop', 'first backup', 'stored') / 1e9, of('shop', 'first backup', 'stored', 'borg') / 1e9]
  expect(part).toBeGreaterThan(0.25)
  expect(part).toBeLessThan(0.34)
  expect(of('levels', 'shop, zstd alone', 'stored', 'Lifeboat, fast') / of('levels', 'shop, zstd alone', 'read', 'Lifeboat, fast')).toBeLessThan(borg)
})
