import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'

const source = path.join(import.meta.dirname, '../../src')

/** Every SQL text in the files that send queries, with a space for what is put into it: the strings and templates in which SQL's words are. */
export function sqlTexts(): { file: string; text: string }[] {
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
  return files.flatMap((file) => {
    const code = readFileSync(path.join(source, file), 'utf8')
    if (!/from '\.{1,2}\/(?:.*\/)?query\.ts'/.test(code) && file !== 'sources/postgres/query.ts') return []
    return literals(code).filter((text) => /\b(?:SELECT|FROM|WHERE|EXECUTE|PERFORM|EXISTS)\b|::|\|\||pg_catalog\./.test(text)).map((text) => ({ file, text }))
  })
}

/** Names that SQL's own syntax has before a parenthesis. */
const syntax = ['coalesce', 'greatest', 'least', 'extract', 'in', 'any', 'exists', 'operator', 'and', 'or', 'not', 'from', 'as', 'select', 'where', 'values', 'with', 'cast', 'on', 'case', 'when', 'then', 'filter', 'if', 'array']

export interface SqlNames {
  functions: string[]
  operators: string[]
  types: string[]
  relations: string[]
  /** Those that have no schema. */
  unqualified: string[]
}

/** The names that resolve by `search_path`, unless they have a schema. */
export function namesIn(texts: readonly string[]): SqlNames {
  const bare = texts.map((text) => text.replaceAll(/E?'(?:[^']|'')*'/g, ' '))
  const all = (pattern: RegExp) => bare.flatMap((text) => [...text.matchAll(pattern)].map((match) => match.slice(1).join('')))
  const ctes = new Set([...all(/\b(\w+) AS \(/g), ...all(/\b(\w+)_in\b/g)])
  const functions = all(/(?<![\w.$\\])((?:\w+\.)?\w+)\(/g).filter((name) => !syntax.includes(name.toLowerCase()))
  const types = all(/::\s*([\w.]+)/g)
  const relations = all(/\b(?:FROM|JOIN)(?: ONLY)? ([a-z][\w.]*)(?![\w.(])/g).filter((name) => !ctes.has(name))
  const operators = all(/\s([-+*/<>=~!@#%^&|?]+)\s/g)
  return {
    functions: ofCatalog(functions),
    types: ofCatalog(types),
    relations: ofCatalog(relations),
    operators: [...new Set(operators)],
    unqualified: [...new Set([...functions, ...types, ...relations].filter((name) => !/^pg_(catalog|temp)\./.test(name)))],
  }
}

function ofCatalog(names: readonly string[]): string[] {
  return [...new Set(names.filter((name) => /^pg_catalog\.\w/.test(name)).map((name) => name.slice('pg_catalog.'.length)))]
}

/**
 * The strings and templates of TypeScript source, as far as this project's style goes: an interpolation becomes a space, and its own texts
 * follow as texts of their own.
 */
function literals(code: string): string[] {
  const texts: string[] = []
  const token = /\/\/[^\n]*|\/\*[^]*?\*\/|'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)"|\/(?![/*\s])(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*|`|[{}]|[^'"`{}/]+|\//gy
  // For each open brace: whether it began in a template.
  const open: { template?: { text: string } }[] = []
  const template = (at: number, text: string): number => {
    const piece = /(?:[^`\\$]|\\.|\$(?!\{))*(`|\$\{)/gsy
    piece.lastIndex = at
    const found = piece.exec(code)!
    const so = text + found[0].slice(0, -found[1]!.length)
    if (found[1] === '`') texts.push(so)
    else open.push({ template: { text: `${so} ` } })
    return piece.lastIndex
  }
  for (let at = 0; at < code.length; ) {
    token.lastIndex = at
    const found = token.exec(code)!
    at = token.lastIndex
    if (found[0] === '`') at = template(at, '')
    else if (found[0] === '{') open.push({})
    else if (found[0] === '}') {
      const closed = open.pop()
      if (closed?.template) at = template(at, closed.template.text)
    } else if (found[1] ?? found[2]) texts.push((found[1] ?? found[2])!)
  }
  return texts
}
