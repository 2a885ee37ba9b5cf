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
    if (file.endsWith('.ts')) for (const hint of hintsIn(line, lines[index - 1] ?? '', file.startsWith('src/'))) add(index, hint, 'a hint is a sentence, with a capital and a full stop')
  }
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

/** Hints in a line that have no capital or no full stop; one that begins or ends with an expression is not judged there. `variables`: also of those named hint. */
function hintsIn(line: string, before: string, variables: boolean): string[] {
  const text = /(['"`])((?:\\.|(?!\1).)*)\1( \+)?/.source
  const [name, sign] = ['\\bhint', variables ? '(?::| =)' : ':']
  const begun = new RegExp(`${name}${sign}$`).test(before) ? [new RegExp(`^\\s*${text}`).exec(line) ?? []] : []
  const given = [...line.matchAll(new RegExp(`${name}${sign} ${text}`, 'g')), ...begun]
  return given.filter(([, , hint = '', more]) => hint !== '' && !hint.startsWith('${')
    && (/^[a-z]/.test(hint) || (more === undefined && !/[.!?…})`]$/.test(hint)))).map(([, , hint]) => hint!)
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
