// node bench/page.ts: makes the tables of docs/benchmarks.md, a picture of each, and the constants of docs/scale.md, of the figures in docs/benchmarks.
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { chart } from './chart.ts'
import { type Figure, folder, type Results, resultsOf, theResults } from './results.ts'
import { median } from './statistics.ts'
import { type Aim, DUMP, MEMORY, type TableName, tableNames, tables } from './tables.ts'

const files = ['benchmarks.md', 'scale.md'].map((name) => path.join(folder, '..', name))

interface Column {
  figure: Figure
  head: string
  cell: (values: number[]) => string
}

const columns: readonly Column[] = [
  { figure: 'seconds', head: 'seconds', cell: (values) => range(values, seconds) },
  { figure: 'cpuSeconds', head: 'CPU s', cell: (values) => seconds(median(values)) },
  { figure: 'peak', head: 'peak MiB', cell: (values) => (Math.max(...values) / 2 ** 20).toFixed(0) },
  { figure: 'read', head: 'MB read', cell: (values) => megabytes(median(values)) },
  { figure: 'stored', head: 'MB stored', cell: (values) => megabytes(median(values)) },
  { figure: 'added', head: 'MB added', cell: (values) => megabytes(median(values)) },
  { figure: 'uploaded', head: 'MB uploaded', cell: (values) => megabytes(median(values)) },
  { figure: 'artifacts', head: 'artifacts', cell: (values) => `${median(values)}` },
  { figure: 'requests', head: 'requests', cell: (values) => median(values).toLocaleString('en') },
  { figure: 'drops', head: 'drops', cell: (values) => `${median(values)}` },
  { figure: 'drills', head: 'drills', cell: (values) => `${median(values)}` },
  { figure: 'equal', head: 'found equal', cell: (values) => `${median(values)}` },
]

/** A page with all that is between its marks made again, and the pictures by their names. */
export function page(old: string): { text: string; pictures: Map<string, string> } {
  const pictures = new Map<string, string>()
  const made = (name: string): string => {
    if (name === 'summary') return summary()
    if (name === 'targets') return targets()
    if (name === 'origin') return origin()
    if (name === 'constants') return constants()
    const table = tableNames.find((one) => one === name)
    if (!table) throw new Error(`no table "${name}"`)
    const all = resultsOf(table)
    return all.length === 0 ? `Not measured yet: \`${tables[table].command}\`.\n` : all.map((results) => section(table, results, pictures)).join('\n')
  }
  const text = old.replaceAll(/<!-- ([a-z0-9-]+) -->\n[^]*?<!-- end -->/g, (_, name: string) => `<!-- ${name} -->\n\n${made(name)}\n<!-- end -->`)
  return { text, pictures }
}

export function writePage(): void {
  for (const file of files) {
    const { text, pictures } = page(readFileSync(file, 'utf8'))
    for (const [name, picture] of pictures) writeFileSync(path.join(folder, name), picture)
    writeFileSync(file, text)
  }
}

/** How long and how small, for a database and for files. */
function summary(): string {
  return [
    `On a machine with ${theResults('shop').file.cores} cores, which the database's server shares:`, '',
    `- **A database of 1000 MB:** the first backup takes ${timeOf('shop', 'first backup')} and stores ${sizeOf('shop', 'first backup', 'stored')}; ` +
    `\`${DUMP}\` alone takes ${timeOf('shop', 'first backup', DUMP)}. After changes (5 % more rows, 1 % updated, 0.5 % deleted) the next one takes ` +
    `${timeOf('shop', 'after changes')} and adds ${sizeOf('shop', 'after changes', 'added')}; when nothing has changed, ${timeOf('shop', 'nothing changed')} and ` +
    `${sizeOf('shop', 'nothing changed', 'added')}. A restore takes ${timeOf('shop', 'restore')}, \`pg_restore\` alone ${timeOf('shop', 'restore', 'pg_restore')}.`,
    `- **A database of a thousand rows:** ${timeOf('small', 'first backup')} from start to exit: below about ` +
    `${Number((1000 * measured('small', 'first backup', 'seconds') / measured('shop', 'first backup', 'seconds')).toPrecision(1))} MB, ` +
    'that is most of the time of a backup.',
    summaryOfFiles('files-small', '100,000 small files', 'when one in a hundred has changed'),
    summaryOfFiles('files-large', '20 large files, half of it noise', 'after small edits in each'), '',
  ].join('\n')
}

function summaryOfFiles(name: TableName, what: string, changed: string): string {
  return `- **${what} (${sizeOf(name, 'first backup', 'stored', 'tar')}):** the first backup takes ${timeOf(name, 'first backup')} and stores ` +
    `${sizeOf(name, 'first backup', 'stored')}; ${timeOf(name, 'nothing changed')} when nothing has changed; ${timeOf(name, 'after changes')} and ` +
    `${sizeOf(name, 'after changes', 'added')} more ${changed}. A restore takes ${timeOf(name, 'restore')}.`
}

function timeOf(name: TableName, scenario: string, program?: string): string {
  return `${Number(measured(name, scenario, 'seconds', program).toPrecision(2))} s`
}

function sizeOf(name: TableName, scenario: string, figure: 'stored' | 'added', program?: string): string {
  const value = measured(name, scenario, figure, program) / 1e6
  return `${value < 100 ? Number(value.toPrecision(2)) : value.toFixed(0)} MB`
}

/** The table of what docs/scale.md calculates with. */
function constants(): string {
  const prunes = theResults('prune').scenarios().map((scenario) => measured('prune', scenario, 'seconds'))
  return [
    '| what | value | measured by |', '|---|--:|---|',
    `| a small database, from connecting to verified, beside other work | ${seconds(measured('sets', 'third backup', 'seconds'))} s, ` +
    `${seconds(measured('sets', 'third backup', 'cpuSeconds'))} s of CPU in the program itself | \`${tables.sets.command}\` |`,
    `| requests of it, from the third night on: GET, LIST, PUT, HEAD | ${requestsOf('third backup', ['GET', 'LIST', 'PUT', 'HEAD'])} | the same |`,
    `| the verdict, for each set: GET, LIST | ${requestsOf('verdict', ['GET', 'LIST'])} | the same |`,
    `| memory of a job after 120 backups in one process | ${memoryOf('sets')} | the same |`,
    `| a database of 1000 MB: first backup, nothing changed, after changes | ` +
    `${['first backup', 'nothing changed', 'after changes'].map((scenario) => (1000 / measured('shop', scenario, 'seconds')).toFixed(0)).join(', ')} MB/s | ` +
    `\`${tables.shop.command}\`, with the server on the same cores |`,
    `| stored of 1 GB of mixed tables | ${(measured('shop', 'first backup', 'stored') / 1e9).toFixed(3)} GB | the same |`,
    `| added when 5 % are new and 1 % changed | ${(measured('shop', 'after changes', 'added') / 1e7).toFixed(1)} % of what is read | the same |`,
    '| a chunk before compression | 1.5 MB on average | [format.md](format.md), section 3: cut at 512 KiB plus 1 MiB on average, 4 MiB at most |',
    '| a snapshot | 149 bytes for each chunk | format.md, section 2: 128 MiB are 900,000 chunks |',
    `| storage as artifacts, daily backups with \`daily=30\`, in first backups | ${growth('daily, 100 MB', 30)} after 30 days, ` +
    `${growth('daily, 100 MB', 90)} after 90 (the database grew by 45 %) | \`${tables['artifact-storage'].command}\` |`,
    `| the same, hourly backups of a database of 20 MB with \`within=2d daily=30\` | ${growth('hourly, 20 MB', 15)} after 15 days, ` +
    `${growth('hourly, 20 MB', 30)} after 30 | the same |`,
    `| pruning 10,000 snapshots of 400 chunks, 1,000,000 objects | ${Math.min(...prunes).toFixed(0)} to ${Math.max(...prunes).toFixed(0)} s, ` +
    `${memoryOf('prune')} | \`${tables.prune.command}\` |`, '',
  ].join('\n')
}

function requestsOf(what: string, verbs: readonly string[]): string {
  return verbs.map((verb) => measured('sets', `${what}, requests`, 'requests', verb).toFixed(0)).join(', ')
}

function memoryOf(name: TableName): string {
  return `${(Math.max(...theResults(name).file.samples.map(({ peak = 0 }) => peak)) / 2 ** 20).toFixed(0)} MiB`
}

/** The bytes stored after so many days, in first backups. */
function growth(schedule: string, day: number): string {
  const [stored, first] = [day, 1].map((one) => measured('artifact-storage', schedule, 'stored', `day ${one}`))
  return (stored! / first!).toFixed(1)
}

/** The median. Throws if it was not measured. */
function measured(name: TableName, scenario: string, figure: Figure, program = 'Lifeboat'): number {
  return theResults(name).median(scenario, program, figure)
}

/** The picture, the table, and how it was measured. */
function section(name: TableName, results: Results, pictures: Map<string, string>): string {
  const { title, command } = tables[name]
  const { cores, date, version, load, note, versions, took } = results.file
  const heading = `${title}, ${cores} cores`
  const picture = chart(results, heading)
  const pictureName = `${name}.${cores}-cores.svg`
  if (picture !== undefined) pictures.set(pictureName, picture)
  const rounds = results.rounds()
  const facts = [
    `\`${command}\`: ${date}, ${cores} cores, ${rounds} ${rounds === 1 ? 'round' : 'rounds'}${rounds > 1 ? ' (median, least–most)' : ''}`,
    `load ${load.toFixed(1)} before`, ...(took === null ? [] : [`${Math.ceil(took / 60)} min`]), `Lifeboat at ${version}`, ...versions,
  ]
  return [...(picture === undefined ? [] : [`![${heading}](benchmarks/${pictureName})`, '']), tableText(name, results), '', `${facts.join(', ')}. ${note ?? ''}`.trim(), ''].join('\n')
}

export function tableText(name: TableName, results: Results): string {
  const { reference } = tables[name]
  const shown = columns.filter(({ figure }) => results.file.samples.some((sample) => sample[figure] !== undefined))
  const scenarios = results.scenarios()
  const referenceOf = (scenario: string): string | undefined => reference?.find((program) => results.programs(scenario).includes(program))
  const compared = scenarios.some((scenario) => referenceOf(scenario) !== undefined)
  const heads = shown.flatMap(({ figure, head }) => (figure === 'seconds' && compared ? [head, `of ${reference!.map(codeOf).join(' or ')}`] : [head]))
  const rows = scenarios.flatMap((scenario) => results.programs(scenario).map((program) => {
    const cells = shown.flatMap(({ figure, cell }) => {
      const values = results.of(scenario, program, figure)
      const own = values.length === 0 ? '–' : cell(values)
      const against = referenceOf(scenario)
      const part = figure === 'seconds' && compared ? [against === undefined || values.length === 0 ? '–' : median(results.ratios(scenario, program, against, 'seconds')).toFixed(2)] : []
      return [own, ...part]
    })
    return [scenario, codeOf(program), ...cells]
  }))
  return [['', 'program', ...heads], ['---', '---', ...heads.map(() => '--:')], ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

/** The versions that the figures are of, and the load that they were measured under. */
function origin(): string {
  const all = tableNames.flatMap((name) => resultsOf(name).map(({ file }) => ({ title: tables[name].title, ...file })))
  const known = all.filter(({ version }) => /^[0-9a-f]{7,}\+?$/.test(version)).map(({ title, version }) => `${title} (${version})`)
  const busy = all.filter(({ load, cores }) => load > cores)
  return [
    `Measured with a known version of Lifeboat: ${known.length} of ${all.length} tables${known.length > 0 ? `: ${known.join('; ')}` : ''}. All others are from earlier pages, of earlier versions.`,
    `Before ${busy.length} of the ${all.length} were measured, the load was above the number of cores: their times say little. Below each table are its date, version and load.`, '',
  ].join('\n')
}

/** The targets: those that were missed first, those that were met in a fold, then those that were not measured. */
function targets(): string {
  const unmeasured: string[] = []
  const rows = tableNames.flatMap((name) => {
    const all = resultsOf(name)
    unmeasured.push(...tables[name].aims.filter((aim) => all.every((results) => valuesOf(results, aim).length === 0)).map(({ what }) => `- ${tables[name].title}: ${what}`))
    return all.flatMap((results) => tables[name].aims.flatMap((aim) => {
      const values = valuesOf(results, aim)
      return values.length === 0 ? [] : [verdict(`${tables[name].title}${all.length > 1 ? `, ${results.file.cores} cores` : ''}: ${aim.what}`, aim, values)]
    }))
  })
  const most = tableNames.filter((name) => !tables[name].ownMemory).flatMap((name) => resultsOf(name).map((results) => ({ name, values: valuesOf(results, MEMORY) })))
    .filter(({ values }) => values.length > 0).toSorted((a, b) => Math.max(...b.values) - Math.max(...a.values))[0]
  if (most) rows.push(verdict(`Memory of Lifeboat, without prunes, the worst table (${tables[most.name].title})`, MEMORY, [Math.max(...most.values)]))
  const [missed, met] = [rows.filter(({ off }) => off > 0).toSorted((a, b) => b.off - a.off), rows.filter(({ off }) => off <= 0)]
  const table = (of: typeof rows): string[] => ['| target | bound | measured | |', '|---|--:|--:|---|', ...of.map(({ row }) => row), '']
  return [
    `${met.length} targets are met, ${missed.length} missed, ${unmeasured.length} not measured.`, '', ...table(missed),
    '<details><summary>Those that are met</summary>', '', ...table(met), '</details>', '',
    ...(unmeasured.length === 0 ? [] : ['Not measured yet:', '', ...unmeasured, '']),
  ].join('\n')
}

/** A row of the table of targets, and by which part of the bound it was missed. */
function verdict(what: string, aim: Aim, values: readonly number[]): { off: number; row: string } {
  const value = median(values)
  const off = aim.atLeast ? aim.bound / value - 1 : value / aim.bound - 1
  const [unit, bound] = [unitOf(aim), aim.atLeast ? 'at least' : 'at most']
  return { off, row: `| ${what} | ${bound} ${aim.bound} ${unit} | ${range(values, plain)} ${unit} | ${off <= 0 ? 'met' : `missed by ${(off * 100).toFixed(0)} %`} |` }
}

/** Of each round, in the unit of the aim; of memory the most. */
function valuesOf(results: Results, { scenario, figure = 'seconds', program = 'Lifeboat', against, atLeast }: Aim): number[] {
  const scenarios = scenario === undefined ? results.scenarios() : [scenario]
  const values = scenarios.flatMap((one) => (against === undefined ? results.of(one, program, figure) : results.ratios(one, program, against, figure)))
  if (against !== undefined) return atLeast ? values.map((value) => 1 / value) : values
  if (figure === 'peak') return values.length === 0 ? [] : [Math.max(...values) / 2 ** 20]
  return values.map((value) => (['read', 'stored', 'added'].includes(figure) ? value / 1e6 : value))
}

function unitOf({ figure = 'seconds', against }: Aim): string {
  if (against !== undefined) return '×'
  return figure === 'peak' ? 'MiB' : ['seconds', 'cpuSeconds'].includes(figure) ? 's' : figure === 'requests' ? 'requests' : 'MB'
}

function range(values: readonly number[], shown: (value: number) => string): string {
  const [least, most] = [Math.min(...values), Math.max(...values)]
  return shown(least) === shown(most) ? shown(least) : `${shown(median(values))} (${shown(least)}–${shown(most)})`
}

function codeOf(program: string): string {
  return /^[a-z]\S* ?[-|>/]|_/.test(program) ? `\`${program.replaceAll('|', '\\|')}\`` : program
}

function seconds(value: number): string {
  return value.toFixed(value < 100 ? 2 : 0)
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(bytes < 1e8 ? 2 : 0)
}

function plain(value: number): string {
  return value < 0.1 ? value.toPrecision(1) : `${Number(value.toFixed(value >= 100 ? 0 : 2))}`
}

if (process.argv[1] === import.meta.filename) writePage()
