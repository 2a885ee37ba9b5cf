import type { Variables } from '../../environment.ts'
import type { FileSettings } from './fill.ts'
import { plainSecrets } from './plain-secrets.ts'
import { FILE_NAME, readFound, readNamed } from './read-file.ts'
import { type CommandRows, settingsOf } from './settings.ts'
import { readTree } from './tree.ts'
import { valueProblems } from './values.ts'

/** Says that there is no file. */
const NONE = 'none'

/**
 * The configuration file with everything that is wrong with it; undefined if there is none. `named`: its path, or `none`; without it,
 * the file of the working directory is taken if `finds`. Throws (status 2) if it cannot be read.
 */
export async function readSettings(
  named: string | undefined, finds: boolean, commands: readonly CommandRows[], variables: Variables,
): Promise<FileSettings | undefined> {
  if (named === NONE) return undefined
  const text = named === undefined ? finds ? await readFound(variables) : undefined : await readNamed(named)
  if (text === undefined) return undefined
  const { tree, problems } = await readTree(text)
  const read = problems.length > 0 && tree === undefined ? { settings: [], problems: [] } : settingsOf(tree, commands)
  const secrets = read.settings.map(plainSecrets)
  const refused = new Set(read.settings.filter((_, index) => secrets[index]!.problems.length > 0))
  return {
    path: named ?? FILE_NAME,
    named: named !== undefined,
    settings: read.settings,
    problems: [
      ...problems,
      ...read.problems,
      ...secrets.flatMap((found) => found.problems),
      ...read.settings.filter((setting) => !refused.has(setting)).flatMap(valueProblems),
    ],
    warnings: secrets.flatMap((found) => found.warnings),
  }
}
