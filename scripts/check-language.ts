// Fails if a text contains expressions that the language rules (CONTRIBUTING.md) replace by plain ones.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'

export interface Finding {
  readonly file: string
  readonly line: number
  readonly found: string
  readonly instead: string
}

/** Expressions that are replaced wherever they occur. */
const expressions: readonly { pattern: RegExp; instead: string }[] = [
  { pattern: /\bunless (it is |they are )?told\b/i, instead: 'by default; Default: …' },
  { pattern: /\bminds\b/i, instead: 'takes into account' },
  { pattern: /\bmend(s|ed|ing)?\b/i, instead: 'fix' },
  { pattern: /\bnot foreseen\b/i, instead: 'unexpected' },
  { pattern: /\bha(s|ve) (the word|no say)\b/i, instead: 'decides; is ignored' },
  { pattern: /\b(is|are) none of\b/i, instead: 'unknown; unsupported' },
  { pattern: /\bwhat no (backup|snapshot) needs\b/i, instead: 'unreferenced data' },
  { pattern: /\bagain and again\b/i, instead: 'all N attempts' },
  { pattern: /\bstands in (?!for\b)/i, instead: 'is in; is on' },
  { pattern: /\bbelongs? to no\b/i, instead: 'unexpected' },
  { pattern: /\bmay hold a part\b/i, instead: 'may be partly restored' },
  { pattern: /\b(is|are) lacking\b/i, instead: 'is missing' },
  { pattern: /\bwhere there (is|was) (none|no)\b/i, instead: 'if there is none' },
  { pattern: /\ball but these\b/i, instead: 'leaves out …' },
  { pattern: /\banew\b/i, instead: 'again' },
  { pattern: /\bvouch(es|ed)?\b/i, instead: 'is signed; is authenticated' },
  { pattern: /\b(hence|thence|whence|thereof|wherein|whereupon|lest|whilst|nought|naught)\b/i, instead: 'a word in use today' },
  { pattern: /[,;:] for (it|they|there|nothing|nobody|he|we|one) (is|are|was|were|has|have|had|can|may|would|will|does|do|did|must|might|could)\b/i, instead: 'because' },
  { pattern: /\blean(s|ed|t|ing)? (only )?on\b/i, instead: 'depend on' },
  { pattern: /\bl(ie|ies|ay|ying) in each other\b/i, instead: 'overlap; one contains the other' },
  { pattern: /\bneed(s|ed)? (it|them) no more\b/i, instead: 'no longer need' },
  { pattern: /\bha(s|ve|d) the last word\b/i, instead: 'decides' },
  { pattern: /\bto be had\b/i, instead: 'available' },
  { pattern: /\b(what|who) is no(t| longer)? (a |an )?[a-z]+ (is|names|has|stands|needs)\b/i, instead: 'a noun as the subject' },
]

/** A sentence that begins with a relative clause in place of a noun; a question is none. */
const RELATIVE = /^(What|Whatever|Who|Whoever|Whom|That which) (?!to |[^.!]*\?)/

const LONGEST = 140

/** Findings in one file; `file` is its path from the top of the repository. */
export function findingsIn(file: string, text: string): Finding[] {
  const findings: Finding[] = []
  const add = (index: number, found: string, instead: string): void => void findings.push({ file, line: index + 1, found: found.trim().slice(0, 100), instead })
  const lines = text.split('\n')
  for (const [index, line] of lines.entries()) {
    for (const { pattern, instead } of expressions) {
      const found = pattern.exec(line)
      if (found) add(index, found[0], instead)
    }
    for (const sentence of sentencesBegunIn(file, lines, index)) if (RELATIVE.test(sentence)) add(index, sentence, 'a noun as the subject, then the verb')
    if (/^src\/.*\.(ts|sh)$/.test(file) && line.length > LONGEST) add(index, `${line.length} characters`, `at most ${LONGEST}`)
  }
  if (file.endsWith('.ts')) for (const { index, hint } of hintsIn(file, text)) add(text.slice(0, index).split('\n').length - 1, hint, 'a hint is a sentence, with a capital and a full stop')
  return findings
}

/** Beginnings of sentences in comments, strings and names of tests of a program, and in the text of a page. */
function sentencesBegunIn(file: string, lines: readonly string[], index: number): string[] {
  const line = lines[index]!
  if (file.endsWith('.md')) return /^\s*#/.test(line) ? [] : sentences(line.replace(/^[\s>|*\d.-]+/, ''), lines[index - 1] ?? '')
  const comment = commentOf(line)
  const before = commentOf(lines[index - 1] ?? '') ?? ''
  const strings = comment === undefined && file.endsWith('.ts') ? [...line.matchAll(/(['"`])((?:\\.|(?!\1).)*)\1/g)].flatMap((match) => sentences(match[2]!, '')) : []
  const names = [...line.matchAll(/\b(?:test|describe|it)(?:\.\w+(?:\(.*?\))?)?\((['"`])(what|who|whatever|whoever)\b(.*?)\1/g)].map((match) => `${match[2]![0]!.toUpperCase()}${match[2]!.slice(1)}${match[3]}`)
  return [...(comment === undefined ? [] : sentences(comment, before)), ...strings, ...names]
}

/** The text of a comment in a line, or undefined. */
function commentOf(line: string): string | undefined {
  return (/^\s*(?:\/\/|\/\*\*?|\*(?!\/)|#)\s?(.*?)(?:\*\/)?$/.exec(line) ?? /\s\/\/ (.*)$/.exec(line))?.[1]
}

/** The sentences that begin in a line; its first words begin one only where the line before has ended one. */
function sentences(text: string, before: string): string[] {
  const parts = text.split(/(?<=[.!?:;]\)?) /)
  return before === '' || /[.!?:|]\)?\s*(\*\/)?$/.test(before) ? parts : parts.slice(1)
}

/**
 * Hints that have no capital or no full stop; in src also those of findings and warnings, and variables named hint. One that begins or ends
 * with an expression is not judged there.
 */
function hintsIn(file: string, text: string): { index: number; hint: string }[] {
  const starts = (pattern: RegExp): number[] => [...text.matchAll(pattern)].map((match) => match.index + match[0].length)
  const given = starts(/\b(?<!['"`])hint:\s/g).flatMap((start) => valuesAt(text, start).slice(0, 1))
  if (file.startsWith('src/')) {
    given.push(...starts(/\bfix:\s/g).flatMap((start) => valuesAt(text, start).slice(0, 1)))
    given.push(...starts(/\bhint =\s/g).map((start) => ({ start, end: endOfStatement(text, start) })))
    const called = starts(/\b(?<!function )(?:warning|bad)\(/g).map((start) => valuesAt(text, start))
    given.push(...called.flatMap((values) => (values.length > 1 ? values.slice(-1) : [])))
  }
  return given.flatMap(({ start, end }) => badTexts(text, start, end))
}

/** A line that ends with an operator, or is followed by one, goes on. */
function endOfStatement(text: string, start: number): number {
  const length = text.slice(start).search(/(?<![+?:=([{,][ \t]*)\n(?!\s*[+?:.)\]}])/)
  return length < 0 ? text.length : start + length
}

/** The values from a position on that commas separate, up to the bracket that closes them. */
function valuesAt(text: string, from: number): { start: number; end: number }[] {
  const values: { start: number; end: number }[] = []
  let start = from
  let depth = 0
  for (let at = from; at < text.length; at++) {
    const char = text[at]!
    if ('\'"`'.includes(char)) at = endOfString(text, at) - 1
    else if (text.startsWith('//', at)) at = text.indexOf('\n', at)
    else if ('([{'.includes(char)) depth++
    else if (depth > 0 && ')]}'.includes(char)) depth--
    else if (depth === 0 && ',)]}'.includes(char)) {
      if (text.slice(start, at).trim() !== '') values.push({ start, end: at })
      if (char !== ',') return values
      start = at + 1
    }
  }
  return [...values, { start, end: text.length }]
}

/** The position after a string; a template may have strings in its expressions. */
function endOfString(text: string, start: number): number {
  const quote = text[start]!
  let depth = 0
  for (let at = start + 1; at < text.length; at++) {
    const char = text[at]!
    if (char === '\\') at++
    else if (depth === 0 && char === quote) return at + 1
    else if (quote === '`' && text.startsWith('${', at)) [depth, at] = [depth + 1, at + 1]
    else if (depth > 0 && '\'"`'.includes(char)) at = endOfString(text, at) - 1
    else if (depth > 0 && char === '{') depth++
    else if (depth > 0 && char === '}') depth--
  }
  return text.length
}

/** Of a value, also of one with conditions, the texts that are no sentences. Strings that + joins are one text. */
function badTexts(text: string, from: number, end: number): { index: number; hint: string }[] {
  const found: { index: number; hint: string }[] = []
  let before = ''
  for (let at = from; at < end; at++) {
    const char = text[at]!
    if (/\s/.test(char)) continue
    if ('([{'.includes(char)) at = valuesAt(text, at + 1).at(-1)?.end ?? at
    if (!'\'"`'.includes(char)) {
      before = char
      continue
    }
    const index = at
    const parts: string[] = []
    for (let more: RegExpExecArray | null | undefined; more !== null && '\'"`'.includes(text[at]!);) {
      const after = endOfString(text, at)
      parts.push(text.slice(at + 1, after - 1))
      more = /^\s*\+\s*/.exec(text.slice(after, end))
      at = after + (more?.[0].length ?? 0)
    }
    const hint = parts.join('')
    const open = /\+\s*$/.test(text.slice(index, at))
    const begins = before !== '+' && /^[a-z]/.test(hint)
    const ends = !open && !/[.!?…})`]$/.test(hint)
    if (['', '?', ':', '+'].includes(before) && hint !== '' && (begins || ends)) found.push({ index, hint })
    before = 'x'
    at--
  }
  return found
}

const looked = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md', '.github', 'docs', 'src', 'test', 'scripts', 'bench', 'workflows-examples']
/** Files that quote the expressions, two that are made from other texts in src, and stores that earlier versions wrote. */
const leftOut = /^(scripts\/check-language\.ts|test\/check-language\.test\.ts|CONTRIBUTING\.md|docs\/reference\.md|src\/repository\/recovery\/files\.ts|test\/golden\/.*)$/

/** Every text that is checked, by its path from the top of the repository. */
export function checkedFiles(root: string): string[] {
  const inside = (name: string): string[] => {
    const found = statSync(path.join(root, name), { throwIfNoEntry: false })
    if (found?.isDirectory()) return readdirSync(path.join(root, name)).flatMap((entry) => inside(`${name}/${entry}`))
    return found && /\.(ts|md|yml|sh)$/.test(name) ? [name] : []
  }
  return looked.flatMap(inside).filter((file) => !leftOut.test(file)).toSorted()
}

if (import.meta.main) {
  const root = path.join(import.meta.dirname, '..')
  const findings = checkedFiles(root).flatMap((file) => findingsIn(file, readFileSync(path.join(root, file), 'utf8')))
  for (const { file, line, found, instead } of findings) console.error(`${file}:${line}: ${found}  ->  ${instead}`)
  if (findings.length > 0) process.exitCode = 1
}
