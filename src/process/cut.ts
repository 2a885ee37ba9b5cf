/*
 * Texts of programs are cut only between lines, or between words in a line that is too long: the rest of a secret that was cut in two would
 * not be recognised.
 */

/** The beginning of a text, `most` characters at most. */
export function beginningOf(text: string, most: number): string {
  if (text.length <= most) return text
  const line = text.lastIndexOf('\n', most)
  if (line > 0) return text.slice(0, line)
  return text.slice(0, most + 1).replace(/\s*\S*$/, '')
}

/** The end of a text, `most` characters at most. */
export function endOf(text: string, most: number): string {
  if (text.length <= most) return text
  const end = text.slice(-most - 1)
  const line = end.indexOf('\n')
  return line >= 0 && line < end.length - 1 ? end.slice(line + 1) : end.replace(/^\S*\s*/, '')
}
