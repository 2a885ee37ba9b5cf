/** A name of a file as an error shows it. Anything else than a word may be a secret in the wrong place. */
export function inShort(name: string): string {
  return /^[A-Za-z][A-Za-z0-9 _-]{0,39}$/.test(name) ? JSON.stringify(name) : 'that is not shown, because it is no word'
}
