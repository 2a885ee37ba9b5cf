import type { Environment } from '../environment.ts'
import { InvalidValue } from '../error.ts'
import { secretsOfUrl } from '../net/url.ts'
import type { StoreAccess } from './access.ts'
import { storeKinds } from './all.ts'
import type { Destination, StoreEnvironment, StoreHelp, StoreKind } from './kind.ts'
import type { Store } from './store.ts'

export type { Destination } from './kind.ts'

/** Reads the text of a destination, which is one line. Throws `InvalidValue`. */
export function parseDestination(text: string): Destination {
  const lines = linesOf(text)
  if (lines.length > 1) throw new InvalidValue(`there are ${lines.length} destinations, and one is needed here: give only one of them`)
  return parseLine(lines[0] ?? '')
}

/** Reads the destinations of a backup, one a line. Throws `InvalidValue`. */
export function parseDestinations(text: string): [Destination, ...Destination[]] {
  const [first = '', ...others] = linesOf(text)
  const destinations: [Destination, ...Destination[]] = [parseLine(first), ...others.map(parseLine)]
  const texts = destinations.map((destination) => destination.text)
  const twice = texts.find((one, index) => texts.indexOf(one) !== index)
  if (twice !== undefined) throw new InvalidValue(`${twice} is there twice`)
  return destinations
}

/** Another destination after a comma or a space, as where YAML folds lines: it would become a part of the first one's path. */
const kindNames = storeKinds.flatMap(({ names }) => names).join('|')
const severalInLine = new RegExp(`[,;]\\s*(?:(?:${kindNames}):|artifact$|\\.{0,2}\\/)|\\s(?:${kindNames}):\\S`)

/** A path alone means a folder. */
const PATH = /^\.{0,2}\//

function parseLine(given: string): Destination {
  const line = PATH.test(given) ? `file:${given}` : given
  if (/^["'`]/.test(line)) throw new InvalidValue('the value is in quotation marks. Remove the quotation marks')
  // The rest of the line may hold a password, so only the name of the kind is shown.
  const name = /^([a-z][a-z0-9]{0,19})(?::.*)?$/s.exec(line)?.[1]
  const kind = kindNamed(name)
  if (kind && severalInLine.test(line)) {
    throw new InvalidValue(
      'there are several destinations in one line. Where several can be given: one per line, or the option once for each',
    )
  }
  if (kind) return kind.parse(line)
  const folder = 'a folder begins with / or ./'
  if (name !== undefined) throw new InvalidValue(`${JSON.stringify(name)} is not a kind of destination; ${folder}`)
  throw new InvalidValue(`the value is not a destination; ${folder}`)
}

/** Every secret part of the text of a destination, well-formed or not: it is masked before anything is printed. */
export function destinationSecrets(text: string): string[] {
  return linesOf(text).flatMap((line) => {
    const kind = kindNamed(/^([a-z][a-z0-9]*):/.exec(line)?.[1])
    return kind ? kind.secrets(line) : secretsOfUrl(line, [])
  })
}

/** Throws (status 2) if a destination needs something else than its text, and it is not given. */
export function requireAccess(destination: Destination, access: Pick<StoreAccess, 'token'>, variables: Environment['variables']): void {
  kindOf(destination).requireAccess?.(access, variables)
}

/** Warns of a destination that could lose what is about to be stored there. */
export function warnOfLoss(destination: Destination, { report, variables }: Pick<Environment, 'report' | 'variables'>): void {
  const warning = kindOf(destination).warning?.(destination, variables)
  if (warning) report.warning(warning.message, warning.hint)
}

/** Whether what is stored there is deleted with a runner that GitHub hosts. */
export function isLostWithRunner(destination: Destination): boolean {
  return kindOf(destination).warning?.(destination, { RUNNER_ENVIRONMENT: 'github-hosted' }) !== undefined
}

/** The one place that opens stores. Nothing is asked of the store yet. */
export async function openStore(destination: Destination, access: StoreAccess, environment: StoreEnvironment): Promise<Store> {
  return kindOf(destination).open(destination, access, environment)
}

/** The texts about the kind of a destination, which is given as its text. */
export function destinationHelp(text: string): StoreHelp | undefined {
  return kindNamed(/^[a-z0-9]+/.exec(text)?.[0])?.help
}

/** The patterns of all kinds, as a sentence has them. */
export function destinationPatterns(): string {
  const patterns = storeKinds.map(({ help }) => help.pattern)
  return `${patterns.slice(0, -1).join('; ')}; or ${patterns.at(-1)!}`
}

/** The forms of a destination, read after "expected". */
export function destinationExpected(): string {
  const schemes = storeKinds.flatMap(({ names, help }) => (help.expected === undefined ? names.map((name) => `${name}://`) : []))
  const urls = `a URL ${schemes.slice(0, -1).join(', ')} or ${schemes.at(-1)!}`
  const expected = [...new Set(storeKinds.map(({ help }) => help.expected ?? urls))]
  return `${expected.slice(0, -1).join(', ')}, or ${expected.at(-1)!}`
}

function kindOf({ kind }: Destination): StoreKind {
  return kindNamed(kind)!
}

function kindNamed(name: string | undefined): StoreKind | undefined {
  return storeKinds.find(({ names }) => name !== undefined && names.includes(name))
}

/** Its lines that are not blank, without the white space around them. */
export function linesOf(text: string): string[] {
  return text.split(/\r?\n/).map((line) => line.trim()).filter((line) => line !== '')
}
