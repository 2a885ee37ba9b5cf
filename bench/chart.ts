// A table as a picture: for each program a bar of its time, with the CPU time as a thin one below, and beside it bars of bytes and requests.
import { median } from './statistics.ts'
import type { Figure, Results } from './results.ts'

interface Panel {
  figure: Figure
  /** Drawn below it, thinner. */
  beside?: Figure
  head: string
  label: (value: number) => string
}

const panels: readonly Panel[] = [
  { figure: 'seconds', beside: 'cpuSeconds', head: 'seconds', label: (value) => `${value.toFixed(value < 10 ? 2 : 1)} s` },
  { figure: 'cpuSeconds', head: 'CPU seconds', label: (value) => `${value.toFixed(2)} s` },
  { figure: 'added', head: 'MB added to the store', label: megabytes },
  { figure: 'stored', head: 'MB stored', label: megabytes },
  { figure: 'requests', head: 'requests', label: (value) => value.toLocaleString('en') },
]

/** `NAMES`: the least room for the names of programs; `LETTER`: the width of a letter, about. */
const [WIDTH, NAMES, LETTER, ROW, HEAD, GAP] = [760, 190, 6.8, 22, 26, 14] as const
/** Programs that Lifeboat is compared with. All others are parts of it, and are drawn in its colour. */
const OTHERS = /^(pg_|restic|borg|tar|zstd|1\.35 ×|a full dump|the )/
/** Room for the label after the longest bar. */
const LABEL = 66

/** Colours that differ in light as well as in hue; with a ground of its own, because GitHub's theme need not be that of the system. */
const STYLE = `
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.ground { fill: #fff; stroke: #d1d9e0 } .head { fill: #59636e } .scenario { font-weight: 600 }
.bar { fill: #afb8c1 } .cpu { fill: #818b98 } .own.bar { fill: #0969da } .own.cpu { fill: #0a3069 }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc } .ground { fill: #0d1117; stroke: #3d444d } .head { fill: #9198a1 }
  .bar { fill: #656c76 } .cpu { fill: #9198a1 } .own.bar { fill: #4493f8 } .own.cpu { fill: #a5d6ff }
}`.trim()

/** An SVG picture; undefined if there is nothing to compare. */
export function chart(results: Results, title: string): string | undefined {
  const { samples, load, cores } = results.file
  const count = (figure: Figure): number => samples.filter((sample) => (sample[figure] ?? 0) > 0).length
  const within = (one: Figure, other: Figure): boolean => samples.every((sample) => sample[one] === undefined || sample[other] !== undefined)
  /** On a busy machine only CPU times say something. */
  const busy = load > 2 * cores && within('seconds', 'cpuSeconds')
  /** Of each of these pairs one is enough, unless each has rows that the other has not. */
  const left: Partial<Record<Figure, boolean>> = {
    seconds: busy, cpuSeconds: !busy && count('seconds') > 1, added: within('added', 'stored') && !within('stored', 'added'), stored: within('stored', 'added'),
  }
  const drawn = panels.filter(({ figure }) => count(figure) > 1 && left[figure] !== true).slice(0, 3)
  if (drawn.length === 0) return undefined
  const names = Math.max(NAMES, 2 * GAP + LETTER * Math.max(...samples.map(({ program }) => program.length)))
  const width = (WIDTH - names - GAP) / drawn.length
  const value = (scenario: string, program: string, figure: Figure): number | undefined => {
    const values = results.of(scenario, program, figure)
    return values.length === 0 ? undefined : median(values)
  }
  const all = results.scenarios().flatMap((scenario) => results.programs(scenario).map((program) => [scenario, program] as const))
  const most = new Map(drawn.flatMap(({ figure, beside }) => {
    const values = all.flatMap(([scenario, program]) => [value(scenario, program, figure) ?? 0, beside ? (value(scenario, program, beside) ?? 0) : 0])
    return [[figure, Math.max(...values)] as const]
  }))
  const parts: string[] = drawn.map(({ head, beside }, index) =>
    `<text class="head" x="${fixed(names + index * width)}" y="18">${head}${beside && count(beside) > 0 ? ', thin: CPU seconds' : ''}</text>`)
  const told: string[] = []
  let y = HEAD
  for (const scenario of results.scenarios()) {
    parts.push(`<text class="scenario" x="${GAP}" y="${y + 15}">${escaped(scenario)}</text>`)
    y += ROW
    for (const program of results.programs(scenario)) {
      const own = OTHERS.test(program) ? '' : 'own '
      parts.push(`<text x="${GAP + 10}" y="${y + 13}">${escaped(program)}</text>`)
      const values = drawn.flatMap(({ figure, beside, label }, index) => {
        const [main, second] = [value(scenario, program, figure), beside && value(scenario, program, beside)]
        if (main === undefined) return []
        const x = names + index * width
        const long = (of: number): string => fixed(Math.max(1, (of / most.get(figure)!) * (width - LABEL)))
        parts.push(`<rect class="${own}bar" x="${fixed(x)}" y="${y + 3}" width="${long(main)}" height="9"/>`)
        if (second !== undefined) parts.push(`<rect class="${own}cpu" x="${fixed(x)}" y="${y + 13}" width="${long(second)}" height="3"/>`)
        parts.push(`<text x="${fixed(x + Number(long(Math.max(main, second ?? 0))) + 5)}" y="${y + 13}">${label(main)}</text>`)
        return [label(main)]
      })
      told.push(`${scenario}, ${program}: ${values.join(', ')}`)
      y += ROW
    }
    y += 4
  }
  const height = y + 6
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-labelledby="title description">
<title id="title">${escaped(title)}</title>
<desc id="description">${escaped(told.join('; '))}</desc>
<style>${STYLE}</style>
<rect class="ground" x=".5" y=".5" width="${WIDTH - 1}" height="${height - 1}" rx="6"/>
${parts.join('\n')}
</svg>
`
}

function megabytes(bytes: number): string {
  const value = bytes / 1e6
  return `${value.toFixed(value < 1 ? 2 : value < 100 ? 1 : 0)} MB`
}

function fixed(value: number): string {
  return Number(value.toFixed(1)).toString()
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
