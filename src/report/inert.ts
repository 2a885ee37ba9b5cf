/**
 * Text that gives no commands, wherever it comes from: its control characters cannot move the cursor of a terminal, colour its screen or
 * turn the order of its letters, and no line is one that a runner of GitHub Actions obeys (`::add-mask::…` at the beginning of a line,
 * `##[…]` anywhere in it).
 */
export function inertText(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what it removes
  const visible = text.replace(/[\u0000-\u0008\u000B-\u001F\u007F-\u009F\p{Cf}]/gu, '\uFFFD')
  return visible.replace(/^(\s*)::/gm, '$1: :').replaceAll('##[', '## [')
}

/**
 * A value as one line of JSON, inert as well: what a terminal or a runner might obey is escaped, so that readers of JSON get it
 * unchanged.
 */
export function inertJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u007F-\u009F\p{Cf}]|#(?=\[)/gu,
    (character) => Array.from({ length: character.length }, (_, index) => escaped(character.charCodeAt(index))).join(''),
  )
}

function escaped(unit: number): string {
  return `\\u${unit.toString(16).padStart(4, '0')}`
}
