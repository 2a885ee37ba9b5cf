/**
 * Messages and hints mark the inputs and commands that they name, and each entry spells the marks as its readers write them: options of a
 * terminal, inputs of a workflow.
 *
 *     ‹set›                            an input
 *     ‹mode: clean›                    an input and its value
 *     ‹lifeboat verify; level: read›   a command and its inputs
 *     ‹json›                           the whole result as JSON
 */
export interface Spelling {
  /** Undefined for an input that no command has. */
  input(name: string, value?: string): string | undefined
  /** `words` follow `lifeboat`: `verify`, `forget ID`. Undefined for a command that does not exist. */
  command(words: string, given: readonly [name: string, value: string][]): string | undefined
}

const MARK = /‹([^‹›]+)›/g

/** The text as an entry spells it. Anything between ‹ and › that names no input and no command stays as it is. */
export function spelled(text: string, spelling: Spelling): string {
  return text.replaceAll(MARK, (mark: string, content: string, at: number) => {
    const shown = spell(content, spelling)
    if (shown === undefined) return mark
    const starts = /(?:^|[.?!]\s+)$/.test(text.slice(0, at))
    return starts ? shown.charAt(0).toUpperCase() + shown.slice(1) : shown
  })
}

function spell(content: string, spelling: Spelling): string | undefined {
  const [first = '', ...rest] = content.split('; ')
  const words = /^lifeboat (?<words>.+)$/.exec(first)?.groups?.['words']
  if (words !== undefined) return spelling.command(words, rest.map(pair))
  const [name, value] = pair(content)
  return spelling.input(name, value || undefined)
}

/** `name: value`; the value is empty if there is none. */
function pair(text: string): [name: string, value: string] {
  const [name = '', ...value] = text.split(': ')
  return [name, value.join(': ')]
}

/** The mark of a command whose inputs have values that are known only when it runs. */
export function markedCommand(words: string, given: Readonly<Record<string, string>>): string {
  return `‹${[`lifeboat ${words}`, ...Object.entries(given).map(([name, value]) => `${name}: ${value}`)].join('; ')}›`
}
