import { median } from './statistics.ts'

export interface VolumeSample {
  set: string
  scenario: string
  program: string
  seconds: number
  cpuSeconds: number
  peakProcess: number
  /** Bytes in the store after the run, and how many more than before it. */
  stored: number
  added: number
}

export function volumeReport(samples: readonly VolumeSample[], machine: readonly string[]): string {
  const sets = [...new Set(samples.map(({ set }) => set))]
  return [...machine.map((line) => `- ${line}`), '', '### Targets for volumes', '', ...targets(samples), '', ...sets.flatMap((set) => table(samples, set))].join('\n').trimEnd() + '\n'
}

/** The median over the rounds; undefined where nothing was measured. */
function figure(samples: readonly VolumeSample[], set: string, scenario: string, program: string, name: 'seconds' | 'cpuSeconds' | 'peakProcess' | 'stored' | 'added'): number | undefined {
  const found = samples.filter((sample) => sample.set === set && sample.scenario === scenario && sample.program === program).map((sample) => sample[name])
  return found.length > 0 ? median(found) : undefined
}

function table(samples: readonly VolumeSample[], set: string): string[] {
  const rows = [...new Set(samples.filter((sample) => sample.set === set).map(({ scenario, program }) => `${scenario}\t${program}`))].map((key) => {
    const [scenario = '', program = ''] = key.split('\t')
    const of = (name: Parameters<typeof figure>[4]) => figure(samples, set, scenario, program, name)!
    const bytes = scenario.startsWith('restore') || of('stored') === 0 ? ['–', '–'] : [megabytes(of('stored')), megabytes(of('added'))]
    return `| ${[scenario, program.startsWith('tar') ? `\`${program.replace('|', '\\|')}\`` : program, of('seconds').toFixed(2), of('cpuSeconds').toFixed(2), (of('peakProcess') / 2 ** 20).toFixed(0), ...bytes].join(' | ')} |`
  })
  return [`### ${set[0]!.toUpperCase()}${set.slice(1)}`, '', '| | program | seconds | CPU s | peak MiB | MB stored | MB added |', '|---|---|--:|--:|--:|--:|--:|', ...rows, '']
}

function targets(samples: readonly VolumeSample[]): string[] {
  const [small, large, bucket] = ['100,000 small files', '20 large files', 'a bucket of 20,000 objects'] as const
  const ratio = (set: string, scenario: string, name: Parameters<typeof figure>[4], other: string, otherScenario = scenario): number | undefined => {
    const [own, reference] = [figure(samples, set, scenario, 'Lifeboat', name), figure(samples, set, otherScenario, other, name)]
    return own === undefined || reference === undefined ? undefined : own / reference
  }
  const peaks = samples.filter(({ program }) => program === 'Lifeboat').map(({ peakProcess }) => peakProcess / 2 ** 20)
  const rows: [what: string, bound: number, value: number | undefined, unit: string][] = [
    ...[...new Set(samples.map(({ set }) => set))].filter((set) => set !== bucket).flatMap((set): [string, number, number | undefined, string][] => [
      [`${set}: first, time against restic`, 0.7, ratio(set, 'first', 'seconds', 'restic'), ' ×'],
      [`${set}: unchanged, time against restic`, 0.8, ratio(set, 'unchanged', 'seconds', 'restic'), ' ×'],
      [`${set}: restore, time against \`tar -x\``, 1.3, ratio(set, 'restore', 'seconds', 'tar -x'), ' ×'],
    ]),
    [`${small}: unchanged`, 3, figure(samples, small, 'unchanged', 'Lifeboat', 'seconds'), ' s'],
    [`${large}: small edits, bytes added against restic`, 0.2, ratio(large, 'changed', 'added', 'restic'), ' ×'],
    [`${bucket}: unchanged`, 5, figure(samples, bucket, 'unchanged', 'Lifeboat', 'seconds'), ' s'],
    ['peak memory of Lifeboat, the worst of all runs', 300, Math.max(...peaks), ' MiB'],
  ]
  const lines = rows.flatMap(([what, bound, value, unit]) => (value === undefined ? [] : [`| ${what} | at most ${bound}${unit} | ${value < 0.1 ? value.toPrecision(1) : value.toFixed(value >= 100 ? 0 : 2)}${unit} | ${value <= bound ? 'met' : `missed by ${((value / bound - 1) * 100).toFixed(0)} %`} |`]))
  return ['| target | bound | measured | |', '|---|--:|--:|---|', ...lines]
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(bytes < 1e8 ? 2 : 0)
}
