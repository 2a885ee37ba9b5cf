/**
 * Text that gives no commands, wherever it comes from: its control characters cannot move the cursor of a terminal or colour its screen,
 * and no line is one that a runner of GitHub Actions obeys (`::add-mask::…` at the beginning of a line, `##[…]` anywhere in it).
 */
export function inertText(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what it removes
  return text.replace(/[\u0000-\u0008\u000B-\u001F\u007F-\u009F]/g, '\uFFFD').replace(/^(\s*)::/gm, '$1: :').replaceAll('##[', '## [')
}

/**
 * A value as one line of JSON, inert as well: what a terminal or a runner might obey is escaped, so that readers of JSON get it
 * unchanged.
 */
export function inertJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u007F-\u009F]|#(?=\[)/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
