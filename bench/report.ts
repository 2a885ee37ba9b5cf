import type { Measurement } from './measure.ts'
import { median, ratios } from './statistics.ts'

export type Scenario = 'small' | 'tables' | 'incompressible' | 'restore incompressible' | 'first' | 'unchanged' | 'changed' | 'restore'

export interface Sample extends Measurement {
  /** Bytes in the store after the run, and how many more than before it. */
  stored: number
  added: number
}

/** The measurements, a sample for each round. */
export class Samples {
  readonly #samples = new Map<string, Sample[]>()

  add(scenario: Scenario, program: string, sample: Sample): void {
    const key = `${scenario}: ${program}`
    this.#samples.set(key, [...(this.#samples.get(key) ?? []), sample])
  }

  /** One figure of every round; empty where nothing was measured. */
  of(scenario: Scenario, program: string, figure: keyof Sample): number[] {
    return (this.#samples.get(`${scenario}: ${program}`) ?? []).map((sample) => sample[figure])
  }

  programs(scenario: Scenario): string[] {
    return [...this.#samples.keys()].filter((key) => key.startsWith(`${scenario}: `)).map((key) => key.slice(scenario.length + 2))
  }
}

const reference = 'pg_dump >/dev/null'
const titles: [Scenario, string, reference: string][] = [
  ['first', 'First backup, mixed tables', reference],
  ['unchanged', 'Second backup, nothing changed', reference],
  ['changed', 'Second backup after changes', reference],
  ['small', 'A thousand rows, first backup', reference],
  ['tables', 'Many empty tables, first backup', reference],
  ['incompressible', 'Incompressible data, first backup', reference],
  ['restore', 'Restore, mixed tables', 'pg_restore'],
  ['restore incompressible', 'Restore, incompressible data', 'pg_restore'],
]

export function report(samples: Samples, about: { machine: string[]; megabytes: number; rounds: number }): string {
  const { megabytes, rounds } = about
  return [
    `${megabytes} MB of mixed tables, ${Math.ceil(megabytes * 0.3)} MB of incompressible data, a thousand rows; ${rounds} ${rounds === 1 ? 'round' : 'rounds'}.`,
    '',
    ...about.machine.map((line) => `- ${line}`),
    '',
    '### Targets',
    '',
    ...targets(samples),
    '',
    ...titles.flatMap(([scenario, title, reference]) => table(samples, scenario, title, reference)),
  ].join('\n').trimEnd() + '\n'
}

function table(samples: Samples, scenario: Scenario, title: string, reference: string): string[] {
  const programs = samples.programs(scenario)
  if (programs.length === 0) return []
  const rows = programs.map((program) => {
    const of = (figure: keyof Sample) => samples.of(scenario, program, figure)
    const seconds = of('seconds')
    const cells = [
      program.startsWith('pg_') ? `\`${program.replace('|', '\\|')}\`` : program,
      `${median(seconds).toFixed(2)} (${Math.min(...seconds).toFixed(2)}–${Math.max(...seconds).toFixed(2)})`,
      median(ratios(seconds, samples.of(scenario, reference, 'seconds'))).toFixed(2),
      median(of('cpuSeconds')).toFixed(2),
      `${mebibytes(Math.max(...of('peakProcess')))} / ${mebibytes(Math.max(...of('peakTree')))}`,
      ...(scenario.startsWith('restore') ? [] : [bytes(median(of('stored'))), bytes(median(of('added')))]),
    ]
    return `| ${cells.join(' | ')} |`
  })
  const heads = ['program', 'seconds (least–most)', `of \`${reference}\``, 'CPU s', 'peak MiB, process / tree', ...(scenario.startsWith('restore') ? [] : ['MB stored', 'MB added'])]
  return [`### ${title}`, '', `| ${heads.join(' | ')} |`, `|${heads.map((_, index) => (index === 0 ? '---' : '--:')).join('|')}|`, ...rows, '']
}

/** The targets that samples were taken for. */
function targets(samples: Samples): string[] {
  const ratio = (scenario: Scenario, figure: keyof Sample, other: string) =>
    ratios(samples.of(scenario, 'Lifeboat', figure), samples.of(scenario, other, figure))
  const scenarios = titles.map(([scenario]) => scenario)
  const peaks = scenarios.flatMap((scenario) => samples.of(scenario, 'Lifeboat', 'peakProcess')).map((peak) => peak / 2 ** 20)
  const rows: { what: string; bound: number; values: number[]; unit?: string; atLeast?: true; worst?: true }[] = [
    { what: 'first backup, time against `pg_dump >/dev/null`', bound: 1.3, values: ratio('first', 'seconds', reference) },
    { what: 'first backup, time against restic', bound: 0.7, values: ratio('first', 'seconds', 'restic') },
    { what: 'first backup, bytes stored against restic', bound: 1, values: ratio('first', 'stored', 'restic') },
    { what: 'unchanged, time against `pg_dump >/dev/null`', bound: 1.1, values: ratio('unchanged', 'seconds', reference) },
    { what: 'changed, bytes restic adds against those Lifeboat adds', bound: 15, values: ratio('changed', 'added', 'restic').map((value) => 1 / value), atLeast: true },
    { what: 'changed, bytes borg adds against those Lifeboat adds', bound: 15, values: ratio('changed', 'added', 'borg').map((value) => 1 / value), atLeast: true },
    { what: 'changed, time against `pg_dump >/dev/null`', bound: 1.6, values: ratio('changed', 'seconds', reference) },
    { what: 'a thousand rows, from start to exit', bound: 1, values: samples.of('small', 'Lifeboat', 'seconds'), unit: ' s' },
    { what: 'many tables, time against `pg_dump >/dev/null`', bound: 1.1, values: ratio('tables', 'seconds', reference) },
    { what: 'restore, time against `pg_restore`', bound: 1.15, values: ratio('restore', 'seconds', 'pg_restore') },
    { what: 'peak memory of Lifeboat, the worst of all runs', bound: 300, values: peaks, unit: ' MiB', worst: true },
  ]
  const lines = rows.filter(({ values }) => values.length > 0).map(({ what, bound, values, unit = ' ×', atLeast, worst }) => {
    const value = worst ? Math.max(...values) : median(values)
    const off = atLeast ? bound / value - 1 : value / bound - 1
    const verdict = off <= 0 ? 'met' : `missed by ${(off * 100).toFixed(0)} %`
    return `| ${what} | ${atLeast ? 'at least' : 'at most'} ${bound}${unit} | ${shown(value)}${unit} (${shown(Math.min(...values))}–${shown(Math.max(...values))}) | ${verdict} |`
  })
  return ['| target | bound | measured (least–most) | |', '|---|--:|--:|---|', ...lines]
}

const shown = (figure: number): string => figure.toFixed(figure >= 100 ? 0 : 2)
const mebibytes = (value: number): string => (value / 2 ** 20).toFixed(0)
const bytes = (value: number): string => (value === 0 ? '–' : (value / 1e6).toFixed(value < 1e8 ? 2 : 0))
