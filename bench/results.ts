// The figures of the benchmarks: a file for each table and number of cores in docs/benchmarks, of which page.ts makes docs/benchmarks.md.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { z } from 'zod'
import { median, ratios } from './statistics.ts'

export const folder = path.join(import.meta.dirname, '../docs/benchmarks')

const figure = z.number().nonnegative().optional()

/** One run of one program. Bytes, seconds, or numbers. */
const sampleSchema = z.strictObject({
  /** Of the runs that are compared with each other. */
  scenario: z.string(),
  program: z.string(),
  seconds: figure,
  /** User and system time of the program and of all it started, without the server of the database. */
  cpuSeconds: figure,
  /** The most memory of any one of its processes. */
  peak: figure,
  read: figure,
  /** In the store after the run, and how many more than before it. */
  stored: figure,
  added: figure,
  /** Into GitHub artifacts, in all so far; artifacts that are there. */
  uploaded: figure,
  artifacts: figure,
  requests: figure,
  /** Connections that a line dropped. */
  drops: figure,
  drills: figure,
  /** Drills that found the restored database equal. */
  equal: figure,
})

const fileSchema = z.strictObject({
  table: z.string(),
  /** YYYY-MM-DD */
  date: z.iso.date(),
  /** The last commit that changed the program, with a + if it was changed since. */
  version: z.string(),
  /** Of the machine, as far as the benchmark might use them. */
  cores: z.int().positive(),
  machine: z.string(),
  /** Of the other programs. */
  versions: z.array(z.string()),
  /** Load average before it began. Times say little unless it is well below 1. */
  load: z.number(),
  /** Seconds of everything, the making of the data included; null if unknown. */
  took: z.number().nullable(),
  note: z.string().optional(),
  /** Those of the same program and scenario are of one round after the other. */
  samples: z.array(sampleSchema).nonempty(),
})

export type Sample = z.infer<typeof sampleSchema>
export type Figure = Exclude<keyof Sample, 'scenario' | 'program'>
export type ResultsFile = z.infer<typeof fileSchema>

/** All that was measured for one table. */
export class Results {
  readonly file: ResultsFile

  constructor(file: ResultsFile) {
    this.file = file
  }

  scenarios(): string[] {
    return [...new Set(this.file.samples.map(({ scenario }) => scenario))]
  }

  programs(scenario: string): string[] {
    return [...new Set(this.file.samples.filter((sample) => sample.scenario === scenario).map(({ program }) => program))]
  }

  /** One figure of each round; empty if it was not measured. */
  of(scenario: string, program: string, name: Figure): number[] {
    return this.file.samples.filter((sample) => sample.scenario === scenario && sample.program === program).flatMap((sample) => sample[name] ?? [])
  }

  /** The median. Throws if it was not measured. */
  median(scenario: string, program: string, name: Figure): number {
    const values = this.of(scenario, program, name)
    if (values.length === 0) throw new Error(`${this.file.table}: no ${name} of ${program} (${scenario})`)
    return median(values)
  }

  /** Of two programs, round by round; empty if one was not measured. */
  ratios(scenario: string, program: string, against: string, name: Figure): number[] {
    const references = this.of(scenario, against, name)
    return references.length === 0 ? [] : ratios(this.of(scenario, program, name), references)
  }

  rounds(): number {
    return Math.max(...[...Map.groupBy(this.file.samples, ({ scenario, program }) => `${scenario}\n${program}`).values()].map((runs) => runs.length))
  }
}

/** Of one table: a file for each number of cores that it was measured with, fewest first. */
export function resultsOf(table: string): Results[] {
  const files = readdirSync(folder).filter((name) => name.endsWith('.json') && name.replace(/\.\d+-cores\.json$/, '') === table)
  return files.map((name) => new Results(fileSchema.parse(JSON.parse(readFileSync(path.join(folder, name), 'utf8'))))).toSorted((a, b) => a.file.cores - b.file.cores)
}

/** Those with the fewest cores. Throws if there are none. */
export function theResults(table: string): Results {
  const [results] = resultsOf(table)
  if (!results) throw new Error(`docs/benchmarks has no file of ${table}`)
  return results
}

/** A sample in a line. */
export function writeResults(file: ResultsFile): void {
  const { samples, ...about } = fileSchema.parse(file)
  const head = JSON.stringify(about, null, 2).slice(0, -2)
  const lines = samples.map((sample) => `    ${JSON.stringify(sample)}`).join(',\n')
  writeFileSync(path.join(folder, `${file.table}.${file.cores}-cores.json`), `${head},\n  "samples": [\n${lines}\n  ]\n}\n`)
}
