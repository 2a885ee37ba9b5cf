import { commands, inputsOf } from '../commands/all.ts'

const expected = new Map(commands.flatMap((command) => inputsOf(command)).map(([name, input]) => [name, input.expected]))
const names = [...expected.keys()].toSorted((a, b) => b.length - a.length).join('|')

/** `the input snapshot`; `only: data`, as in a workflow; `mode clean`; `no-owner`, for a name with a dash is no other word. */
const inputNamed = new RegExp(
  `(?<![\\w./-])(?:(?:the )?input (?<named>${names})(?![\\w-])` +
    `|(?:(?<name>${names}): |(?<word>mode|only) )(?<value>[a-z]+)(?![\\w-])` +
    `|(?<dashed>${names})(?![\\w:=/-]))`,
  'g',
)

/**
 * The text of a hint with the inputs that it names as the options of a terminal: `--mode clean`, `--snapshot`; and with its commands as
 * `program` takes them.
 */
export function asOptions(hint: string, program: string): string {
  if (hint.startsWith('The inputs of ')) return hint
  return hint.replaceAll('`lifeboat ', `\`${program} `).replace(inputNamed, (found: string, ...rest) => {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the groups are the last argument
    const { named, name, word, value, dashed } = rest.at(-1) as Record<string, string | undefined>
    if (named !== undefined) return `--${named}`
    if (dashed !== undefined) return dashed.includes('-') ? `--${dashed}` : found
    const option = (name ?? word)!
    // Elsewhere a colon is followed by the rest of a sentence.
    if (!expected.get(option)!.split(/, | or /).includes(value!)) return found
    return value === 'true' ? `--${option}` : `--${option} ${value}`
  })
}
