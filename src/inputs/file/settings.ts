import { nearest } from '../../nearest.ts'
import type { Input } from '../input.ts'
import { inShort } from './shown.ts'
import type { Problem } from './problem.ts'
import type { MapEntry, Tree } from './tree.ts'
import { type Template, templateOf } from './variables.ts'

/** A command with its inputs. */
export interface CommandRows {
  readonly name: string
  readonly rows: readonly (readonly [name: string, input: Input])[]
}

/** A value of a file: for all commands that have the input, or for one. */
export interface Setting {
  readonly name: string
  /** The command of the section that it is in; undefined at the top. */
  readonly section: string | undefined
  readonly line: number
  readonly column: number
  /** A list or a map has several. */
  readonly items: readonly Item[]
  readonly several: boolean
  /** The commands that take it, with their definitions of the input. */
  readonly takers: readonly { command: string; input: Input }[]
}

export interface Item {
  /** Of a map: the name before the value. */
  readonly key: string | undefined
  readonly template: Template
  readonly line: number
  readonly column: number
  /** The first line of the text of a block; a variable in it is some lines below. */
  readonly block: boolean
}

/** The section with settings for one command each. */
export const SECTIONS = 'commands'

/** The settings of a file, and everything that is wrong with its names and forms. */
export function settingsOf(tree: Tree | undefined, commands: readonly CommandRows[]): { settings: Setting[]; problems: Problem[] } {
  const problems: Problem[] = []
  if (tree === undefined) return { settings: [], problems: [{ line: 1, column: 1, message: 'the file is empty' }] }
  if (tree.kind !== 'map') {
    return { settings: [], problems: [{ ...placeOf(tree), message: 'the file does not begin with a name, a colon and a value' }] }
  }
  const settings = tree.entries.flatMap((entry): Setting[] => {
    if (entry.key !== SECTIONS) return settingIn(entry, undefined, commands, problems)
    if (entry.value?.kind !== 'map') {
      problems.push({ ...placeOf(entry), message: `${SECTIONS}: the names of commands are expected below it, each with its inputs` })
      return []
    }
    return entry.value.entries.flatMap((section) => settingsInSection(section, commands, problems))
  })
  return { settings, problems }
}

function settingsInSection(section: MapEntry, commands: readonly CommandRows[], problems: Problem[]): Setting[] {
  const command = commands.find(({ name }) => name === section.key)
  if (command === undefined) {
    const names = commands.map(({ name }) => name)
    problems.push({ ...placeOf(section), message: `there is no command ${inShort(section.key)}${didYouMean(section.key, names)}` })
    return []
  }
  if (section.value === undefined) return []
  if (section.value.kind !== 'map') {
    problems.push({ ...placeOf(section), message: `${command.name}: inputs are expected below it, each with a value` })
    return []
  }
  return section.value.entries.flatMap((entry) => settingIn(entry, command, commands, problems))
}

/** One setting, or none and what is wrong with it. `section`: the command that it is for; undefined for all. */
function settingIn(entry: MapEntry, section: CommandRows | undefined, commands: readonly CommandRows[], problems: Problem[]): Setting[] {
  const { key: name, value } = entry
  const wrong = (message: string, place: { line: number; column: number } = entry): [] => {
    problems.push({ ...placeOf(place), message })
    return []
  }
  const all = (section ? [section] : commands).flatMap((command) => {
    const row = command.rows.find(([known]) => known === name)
    return row === undefined ? [] : [{ command: command.name, input: row[1] }]
  })
  if (all.length === 0) return wrong(unknown(name, section, commands))
  const takers = all.filter(({ input }) => !input.once && !input.positional && (section !== undefined || !input.own))
  if (takers.length === 0) {
    const own = all.find(({ input }) => input.own)
    return wrong(own
      ? `${name} is given in the section of its command: ${SECTIONS}, ${own.command}`
      : `${name} is about one call, and no file gives it`)
  }
  if (value === undefined) return wrong(`${name} has no value. Remove the line, or write '' for an empty text`)

  const inputs = takers.map(({ input }) => input)
  if (value.kind !== 'text') {
    const isListed = inputs.some(({ list, pairs }) => list || pairs)
    if (value.kind === 'list' && !isListed) return wrong(`${name} takes one value, and no list`, value)
    if (value.kind === 'map' && !inputs.some(({ pairs }) => pairs)) return wrong(`${name} takes no names with values`, value)
  }
  const items = itemsOf(name, value, inputs.some(({ code }) => code), wrong)
  return [{ name, section: section?.name, ...placeOf(entry), items, several: value.kind !== 'text', takers }]
}

/** `code`: a text of which nothing is expanded. */
function itemsOf(
  name: string, value: Tree, code: boolean, wrong: (message: string, place: { line: number; column: number }) => [],
): Item[] {
  const item = (key: string | undefined, tree: Tree): Item[] => {
    if (tree.kind !== 'text') return wrong(notText(name, tree, value), tree)
    if (value.kind !== 'text' && /[\r\n]/.test(tree.text.trimEnd())) return wrong(`${name}: an item has several lines`, tree)
    const { line, column, block, text } = tree
    const plain = value.kind === 'text' && !block ? text : text.replace(/\n$/, '')
    const at = (offset: number): { line: number; column: number } => placeIn({ line, column, block }, plain, offset)
    const template = code ? [{ text: plain }] : templateOf(plain, (message, offset) => void wrong(`${name}: ${message}`, at(offset)))
    return [{ key, template, line, column, block }]
  }
  if (value.kind === 'text') return item(undefined, value)
  if (value.kind === 'list') return value.items.flatMap((tree) => item(undefined, tree))
  return value.entries.flatMap(({ key, value: tree, ...place }) => {
    if (/[=\r\n]|\$\{/.test(key)) return wrong(`${name}: a name must not have =, a line end or \${ in it`, place)
    if (tree === undefined) return wrong(`${name}: ${inShort(key)} has no value`, place)
    // Several patterns of one volume, for instance.
    return tree.kind === 'list' ? tree.items.flatMap((one) => item(key, one)) : item(key, tree)
  })
}

function notText(name: string, tree: Tree, value: Tree): string {
  if (tree.kind === 'map' && value.kind === 'list') return `${name}: an item with ": " in it needs quotation marks`
  return `${name}: a text is expected here, and no ${tree.kind}`
}

/** The place of a character in a text. */
export function placeIn(
  { line, column, block }: Pick<Item, 'line' | 'column' | 'block'>, text: string, offset: number,
): { line: number; column: number } {
  if (!block) return { line, column }
  return { line: line + 1 + text.slice(0, offset).split('\n').length - 1, column: 1 }
}

function unknown(name: string, section: CommandRows | undefined, commands: readonly CommandRows[]): string {
  const names = commands.map((command) => command.name)
  if (section === undefined && names.includes(name)) return `${name} is a command. Its inputs are written under ${SECTIONS}:`
  if (section !== undefined) {
    return `${section.name} has no input ${inShort(name)}${didYouMean(name, section.rows.map(([known]) => known))}`
  }
  const known = [SECTIONS, ...new Set(commands.flatMap(({ rows }) => rows.map(([row]) => row)))]
  return `unknown key ${inShort(name)}${didYouMean(name, known)}`
}

function didYouMean(word: string, known: readonly string[]): string {
  const near = word.length > 60 ? undefined : nearest(word, known)
  return near === undefined ? '' : `; did you mean ${near}?`
}

function placeOf({ line, column }: { line: number; column: number }): { line: number; column: number } {
  return { line, column }
}
