import { nothingHere, type Problem } from './problem.ts'

/** The content of a configuration file, each part with the place where it begins. Texts are as they were written: `7`, `true`. */
export type Tree = { readonly line: number; readonly column: number } & (
  | { readonly kind: 'text'; readonly text: string; readonly block: boolean }
  | { readonly kind: 'list'; readonly items: readonly Tree[] }
  | { readonly kind: 'map'; readonly entries: readonly MapEntry[] }
)

export interface MapEntry {
  readonly key: string
  readonly line: number
  readonly column: number
  /** Undefined if nothing follows the key. */
  readonly value: Tree | undefined
}

/** More levels than any setting has: the map of the file, of the commands, of a command, of an input, and a list. */
const DEEPEST = 6
const NESTED = 'lists and maps are nested too deeply'

/** Reads YAML of maps, lists and plain values: no aliases, tags or second documents. The parser is loaded only here. */
export async function readTree(text: string): Promise<{ tree: Tree | undefined; problems: Problem[] }> {
  const { LineCounter, isMap, isScalar, isSeq, parseDocument } = await import('./yaml.ts')
  const lines = new LineCounter()
  const problems: Problem[] = []
  const placeAt = (offset: number): { line: number; column: number } => {
    const { line, col } = lines.linePos(offset)
    return { line: Math.max(line, 1), column: Math.max(col, 1) }
  }
  const wrong = (offset: number, message: string): undefined => void problems.push({ ...placeAt(offset), message })

  const treeOf = (node: unknown, depth: number): Tree | undefined => {
    if (node === null || node === undefined) return undefined
    if (!isMap(node) && !isScalar(node) && !isSeq(node)) return wrong(offsetOf(node), ERRORS['BAD_ALIAS']!)
    const offset = offsetOf(node)
    if (node.anchor !== undefined) return wrong(offset, ERRORS['MULTIPLE_ANCHORS']!)
    if (node.tag !== undefined) return wrong(offset, ERRORS['TAG_RESOLVE_FAILED']!)
    if (depth > DEEPEST) return wrong(offset, NESTED)
    const place = placeAt(offset)
    if (isScalar(node)) {
      const value = typeof node.value === 'string' ? node.value : node.source ?? ''
      if (node.type === 'PLAIN' && nothingHere(value)) return undefined
      return { ...place, kind: 'text', text: value, block: node.type === 'BLOCK_LITERAL' || node.type === 'BLOCK_FOLDED' }
    }
    if (isSeq(node)) {
      const items = node.items.flatMap((item) => {
        const found = problems.length
        const tree = treeOf(item, depth + 1)
        if (tree === undefined && problems.length === found) wrong(offsetOf(item) || offset, 'an item of the list is empty')
        return tree ?? []
      })
      return { ...place, kind: 'list', items }
    }
    const entries = node.items.flatMap(({ key, value }): MapEntry[] => {
      if (!isScalar(key) || typeof key.value !== 'string' || key.anchor !== undefined || key.tag !== undefined) {
        return wrong(offsetOf(key) || offset, 'a key is not a plain word') ?? []
      }
      const found = problems.length
      const tree = treeOf(value, depth + 1)
      return tree === undefined && problems.length > found ? [] : [{ key: key.value, ...placeAt(offsetOf(key)), value: tree }]
    })
    return { ...place, kind: 'map', entries }
  }

  try {
    // Every value of this schema is a text: an input reads it as if it were given on its own.
    const document = parseDocument(text, { schema: 'failsafe', lineCounter: lines, prettyErrors: false, strict: true, uniqueKeys: true })
    for (const { code, pos } of document.errors) wrong(pos[0], ERRORS[code] ?? 'this is not valid YAML')
    // The first fault of a line causes the others.
    const first = problems.filter(({ line }, index) => problems.findIndex((other) => other.line === line) === index)
    return first.length > 0 ? { tree: undefined, problems: first } : { tree: treeOf(document.contents, 1), problems }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    return { tree: undefined, problems: [{ line: 1, column: 1, message: NESTED }] }
  }
}

/** 0 for what has no place of its own. */
function offsetOf(node: unknown): number {
  return typeof node === 'object' && node !== null && 'range' in node && Array.isArray(node.range) ? Number(node.range[0]) : 0
}

/** The parser's own messages may quote a secret. */
const ERRORS: Readonly<Record<string, string>> = {
  BAD_ALIAS: 'an alias (*) is not supported. Write the value again',
  BAD_DQ_ESCAPE: 'unknown escape after a backslash. In single quotation marks, a backslash is plain text',
  BAD_INDENT: 'the indentation does not fit the lines before',
  BAD_SCALAR_START: 'a value begins with a character that YAML reserves. Put it in quotation marks',
  BLOCK_AS_IMPLICIT_KEY: 'there is a second ": " in the line, which needs quotation marks, or the next line is indented too far',
  DUPLICATE_KEY: 'the key is there a second time',
  MISSING_CHAR: 'a colon, a comma, a bracket or a quotation mark is missing, or a line is not indented enough',
  MULTILINE_IMPLICIT_KEY: 'a key is not followed by a colon, or a line is not indented enough',
  MULTIPLE_ANCHORS: 'an anchor (&) is not supported. Write the value where it is needed',
  MULTIPLE_DOCS: 'a second document (---) begins. Write everything into one',
  NON_STRING_KEY: 'a key is not a plain word',
  RESOURCE_EXHAUSTION: NESTED,
  TAB_AS_INDENT: 'a tab is not allowed as indentation. Use spaces',
  TAG_RESOLVE_FAILED: 'a tag (!) is not supported. Put a text that begins with ! in quotation marks',
  UNEXPECTED_TOKEN: 'this does not belong here. Is a quotation mark, a bracket or a space missing before it?',
}
