// The tables of docs/benchmarks.md: what is measured, by which command, and the targets.
import type { Figure } from './results.ts'

export interface Aim {
  what: string
  /** Without one, of all scenarios. */
  scenario?: string
  figure?: Figure
  /** Default: Lifeboat. */
  program?: string
  /** The program whose figure of the same round it is divided by; with `atLeast` the other way round. Without one it is the figure itself: seconds, MiB, MB. */
  against?: string
  bound: number
  atLeast?: true
}

export interface Table {
  title: string
  command: string
  /** Programs whose time the others are compared with: the first that is among those of a scenario. */
  reference?: readonly string[]
  aims: readonly Aim[]
  /** A prune: its memory grows with the number of objects, and has an aim of its own. */
  ownMemory?: true
}

export const DUMP = 'pg_dump >/dev/null'
export const PATCH = 'zstd --patch-from'
/** Beside borg, which compresses with lz4 by default. */
export const FAST = 'Lifeboat, fast'

const databases = (name: string): Pick<Table, 'command' | 'reference'> => ({ command: `npm run bench -- --only ${name}`, reference: [DUMP, 'pg_restore'] })
const volumes = (name: string): Pick<Table, 'command' | 'reference'> => ({ command: `npm run bench:volumes -- --only ${name}`, reference: ['restic'] })
const afterChanges: readonly Aim[] = [
  { what: 'after changes, time against restic', scenario: 'after changes', against: 'restic', bound: 1.2 },
  { what: 'after changes, bytes against restic', scenario: 'after changes', figure: 'added', against: 'restic', bound: 1 },
]
/** Of all tables without `ownMemory`. */
export const MEMORY: Aim = { what: 'memory', figure: 'peak', bound: 300 }

export const tables = defined({
  shop: {
    title: 'A shop of 1000 MB', ...databases('shop'),
    aims: [
      { what: 'first backup, time against `pg_dump >/dev/null`', scenario: 'first backup', against: DUMP, bound: 1.3 },
      { what: 'first backup, time against restic', scenario: 'first backup', against: 'restic', bound: 0.6 },
      { what: 'first backup, bytes against restic', scenario: 'first backup', figure: 'stored', against: 'restic', bound: 1 },
      { what: 'first backup at level `fast`, time against borg with lz4', scenario: 'first backup', program: FAST, against: 'borg', bound: 1 },
      { what: 'first backup at level `fast`, bytes against borg with lz4', scenario: 'first backup', program: FAST, figure: 'stored', against: 'borg', bound: 1 },
      { what: 'nothing changed, time against `pg_dump >/dev/null`', scenario: 'nothing changed', against: DUMP, bound: 1.1 },
      { what: 'after changes, time against `pg_dump >/dev/null`', scenario: 'after changes', against: DUMP, bound: 1.3 },
      { what: 'after changes, bytes that restic adds against ours', scenario: 'after changes', figure: 'added', against: 'restic', bound: 15, atLeast: true },
      { what: 'after changes, bytes that borg adds against ours', scenario: 'after changes', figure: 'added', against: 'borg', bound: 15, atLeast: true },
      { what: 'after changes, bytes against `zstd --patch-from`', scenario: 'after changes', figure: 'added', against: PATCH, bound: 1.3 },
      { what: 'restore, time against `pg_restore`', scenario: 'restore', against: 'pg_restore', bound: 1.15 },
    ],
  },
  pgbench: {
    title: 'pgbench', ...databases('pgbench'),
    aims: [{ what: 'after changes, bytes against `zstd --patch-from`', scenario: 'after changes', figure: 'added', against: PATCH, bound: 2 }],
  },
  incompressible: { title: 'Incompressible data', ...databases('incompressible'), aims: [] },
  small: { title: 'A thousand rows', ...databases('small'), aims: [{ what: 'from start to exit', bound: 1 }] },
  'many-tables': {
    title: '50,000 tables', ...databases('many-tables'), aims: [{ what: 'time against `pg_dump >/dev/null`', against: DUMP, bound: 1.1 }],
  },
  restore: {
    title: 'A restore of 600 MB with two jobs', command: 'npm run bench:restore -- --only restore', reference: ['pg_restore'],
    aims: [
      { what: 'time against `pg_restore`', scenario: 'the whole', against: 'pg_restore', bound: 0.8 },
      { what: 'time against `pg_restore --jobs=2`', scenario: 'the whole', against: 'pg_restore --jobs=2', bound: 1 },
      { what: 'the server on half of the cores, time against `pg_restore --jobs=2`', scenario: 'the whole, the server on half of the cores', against: 'pg_restore --jobs=2', bound: 1 },
    ],
  },
  'restore-table': {
    title: 'A table of 50 MB out of 5 GB', command: 'npm run bench:restore -- --only restore-table',
    aims: [{ what: 'time', bound: 3 }, { what: 'bytes read', figure: 'read', bound: 60 }],
  },
  streams: {
    title: 'Equal tables through a slow link', command: 'npm run bench:streams', reference: ['Lifeboat, dump-jobs 1'],
    aims: [{ what: 'how many times as fast with four streams', program: 'Lifeboat, dump-jobs 4', against: 'Lifeboat, dump-jobs 1', bound: 3.3, atLeast: true }],
  },
  drill: {
    title: 'A drill of a shop of 1000 MB', command: 'npm run bench:drill -- --only drill', reference: ['1.35 × pg_restore + pg_dump'],
    aims: [{ what: 'time against 1.35 × `pg_restore` and one `pg_dump`', against: '1.35 × pg_restore + pg_dump', bound: 1 }],
  },
  'drill-tables': {
    title: 'A drill of 10,000 tables', command: 'npm run bench:drill -- --only drill-tables --folder /dev/shm', reference: ['1.35 × pg_restore + pg_dump'],
    aims: [{ what: 'CPU time against 1.35 × `pg_restore` and one `pg_dump`', figure: 'cpuSeconds', against: '1.35 × pg_restore + pg_dump', bound: 1 }],
  },
  drills: { title: 'Drills of healthy databases', command: 'npm run bench:drills -- --rounds 20', aims: [] },
  'files-small': {
    title: '100,000 small files', ...volumes('files-small'),
    aims: [
      { what: 'first backup, time against restic', scenario: 'first backup', against: 'restic', bound: 0.9 },
      { what: 'nothing changed, time against restic', scenario: 'nothing changed', against: 'restic', bound: 0.8 },
      { what: 'nothing changed, time', scenario: 'nothing changed', bound: 3 },
      ...afterChanges,
    ],
  },
  'files-large': {
    title: '20 large files', ...volumes('files-large'),
    aims: [
      { what: 'first backup, time against restic', scenario: 'first backup', against: 'restic', bound: 0.7 },
      { what: 'nothing changed, time against restic', scenario: 'nothing changed', against: 'restic', bound: 0.8 },
      { what: 'small edits, bytes against restic', scenario: 'after changes', figure: 'added', against: 'restic', bound: 0.2 },
      { what: 'restore, time against restic', scenario: 'restore', against: 'restic', bound: 1.1 },
    ],
  },
  'files-source': {
    title: 'A source tree checked out twice', ...volumes('files-source'),
    aims: [
      { what: 'first backup, time against restic', scenario: 'first backup', against: 'restic', bound: 1.2 },
      { what: 'nothing changed, time against restic', scenario: 'nothing changed', against: 'restic', bound: 0.8 },
      ...afterChanges,
    ],
  },
  'files-bucket': {
    title: 'A bucket of 20,000 objects', ...volumes('files-bucket'),
    aims: [{ what: 'nothing changed, time', scenario: 'nothing changed', bound: 5 }],
  },
  s3: {
    title: 'A store in a bucket', command: 'npm run bench:s3 -- --only s3', reference: ['restic'],
    aims: [
      { what: 'first backup, time against a folder', scenario: 'first backup', against: 'Lifeboat, a folder', bound: 1.4 },
      { what: 'first backup, time against restic', scenario: 'first backup', against: 'restic', bound: 0.8 },
      { what: 'first backup with 30 ms a request, time against without', scenario: 'first backup', program: 'Lifeboat, 30 ms', against: 'Lifeboat', bound: 1.5 },
      { what: 'reading back, speed against restic, parsed as well', scenario: 'reading back', against: 'restic, parsed as well', bound: 0.9, atLeast: true },
      { what: 'reading back with 30 ms a request, time against without', scenario: 'reading back', program: 'Lifeboat, 30 ms', against: 'Lifeboat', bound: 1.5 },
    ],
  },
  's3-start': {
    title: 'Before a dump begins, with 1,000 snapshots in a bucket', command: 'npm run bench:s3 -- --only s3-start',
    aims: [{ what: 'time', bound: 2 }, { what: 'requests', figure: 'requests', bound: 20 }],
  },
  's3-list': {
    title: '`list` of 1,000 verified snapshots in a bucket', command: 'npm run bench:s3 -- --only s3-list',
    aims: [{ what: 'time, 40 chunks each', scenario: '40 chunks each', bound: 3 }, { what: 'time, 600 chunks each', scenario: '600 chunks each', bound: 3 }],
  },
  's3-prune': {
    title: 'The plan of a prune of 1,000,000 chunks in a bucket', command: 'npm run bench:s3 -- --only s3-prune', ownMemory: true,
    aims: [{ what: 'time', bound: 60 }, { what: 'memory', figure: 'peak', bound: 500 }],
  },
  list: {
    title: 'Looking at 1,000 verified snapshots in a folder', command: 'npm run bench:list',
    aims: [{ what: '`list`, time, 600 chunks each', scenario: '600 chunks each', program: 'list', bound: 2 }, { what: '`list`, time, 40 chunks each', scenario: '40 chunks each', program: 'list', bound: 2 }],
  },
  prune: {
    title: 'A prune of 10,000 snapshots and 1,000,000 chunks in a folder', command: 'npm run bench:scale', ownMemory: true,
    aims: [{ what: 'the plan, time', scenario: 'plan', bound: 30 }, { what: 'memory, the worst step', figure: 'peak', bound: 500 }],
  },
  artifacts: {
    title: 'Thirty days in GitHub artifacts', command: 'npm run bench:artifacts -- --only artifacts', reference: [],
    aims: ['typical', 'scattered'].map((scenario): Aim => ({ what: `${scenario} changes, a full dump a day against all artifacts`, scenario, figure: 'stored', against: 'a full dump a day', bound: 8, atLeast: true })),
  },
  'artifact-requests': { title: 'Requests to GitHub with 300 earlier backups', command: 'npm run bench:artifacts -- --only artifact-requests', aims: [] },
  'artifact-storage': { title: 'Storage in GitHub artifacts', command: 'npm run bench:artifacts -- --only artifact-storage', aims: [] },
  parts: {
    title: 'Larger than the disk, into GitHub artifacts', command: 'npm run bench:parts -- --megabytes 2000',
    aims: [{ what: 'time against the slower of dump and upload alone', program: 'both', against: 'the slower of the two', bound: 1.15 }],
  },
  step: { title: 'A whole step on a tiny database, into GitHub artifacts', command: 'npm run bench:step', aims: [{ what: 'time', bound: 1.2 }] },
  start: { title: 'Commands that touch no store', command: 'npm run bench:start', aims: ['--help', 'config check'].map((scenario) => ({ what: `\`${scenario}\`, time`, scenario, bound: 0.25 })) },
  sets: { title: 'Each of forty small databases, in a set of its own', command: 'npm run bench:sets', aims: [] },
  levels: { title: 'Compression levels', command: 'npm run bench:levels', aims: [] },
  counting: {
    title: 'Counting rows while they pass', command: 'npm run bench:counting',
    aims: [{ what: 'CPU time against the backup', program: 'counting', figure: 'cpuSeconds', against: 'Lifeboat', bound: 0.03 }],
  },
  line: { title: 'A line that drops every 20 s', command: 'npm run bench:line', aims: [] },
})

export type TableName = keyof typeof tables

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- its keys
export const tableNames = Object.keys(tables) as TableName[]

function defined<Name extends string>(all: Record<Name, Table>): Record<Name, Table> {
  return all
}
