import { marked } from '../../src/marks.ts'

/** A text of a test with its marks, as the tag `marked` makes it out of one in a program. */
export function markedText(text: string): string {
  return marked(Object.assign([text], { raw: [text] }))
}
