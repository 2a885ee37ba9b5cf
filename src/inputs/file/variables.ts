import type { Variables } from '../../environment.ts'

/** A text with variables in it, taken apart: `${NAME}` is one, `$${` is a plain `${`. */
export type Template = readonly ({ readonly text: string } | { readonly variable: string; readonly at: number })[]

const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,99}$/

/** Takes a text apart. `wrong` is told what is wrong, and where in the text. */
export function templateOf(text: string, wrong: (message: string, at: number) => void): Template {
  const parts: (Template[number])[] = []
  let end = 0
  for (const { 0: found, index } of text.matchAll(/\$\$\{|\$\{(?:\{[^}]*\}\}|[^}]*\}|)/g)) {
    parts.push({ text: text.slice(end, index) })
    end = index + found.length
    const name = found.slice(2, -1)
    if (found === '$${') parts.push({ text: '${' })
    else if (NAME.test(name)) parts.push({ variable: name, at: index })
    else wrong(problemOf(found), index)
  }
  return [...parts, { text: text.slice(end) }].filter((part) => 'variable' in part || part.text !== '')
}

function problemOf(found: string): string {
  if (found.startsWith('${{')) {
    return '${{ … }} is for workflows. Set an environment variable in the workflow (env:) and write ${NAME} here; $${ for a plain ${'
  }
  return '${ is not followed by the name of an environment variable and }. Write $${ for a plain ${'
}

export function variablesIn(template: Template): { variable: string; at: number }[] {
  return template.filter((part) => 'variable' in part)
}

/** The text with other texts in place of its variables. They are not expanded again. */
export function expanded(template: Template, valueOf: (variable: string) => string): string {
  return template.map((part) => ('variable' in part ? valueOf(part.variable) : part.text)).join('')
}

/** The value of a variable. An empty one counts as missing: a workflow passes a secret that it has not as an empty text. */
export function variableValue(name: string, variables: Variables): string | undefined {
  return variables[name] || undefined
}
