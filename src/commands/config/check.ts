import type { Environment } from '../../environment.ts'
import { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import type { ConfigCheckInputs } from './inputs.ts'
import type { ConfigCheckResult } from './result.ts'

/** Tells what the configuration file has, which was read with the inputs. */
export async function configCheck(_: ConfigCheckInputs, { configuration }: Environment): Promise<ConfigCheckResult> {
  const file = configuration?.file
  if (file === undefined) {
    throw new LifeboatError('there is no lifeboat.yml in the working directory, and config is not given', {
      hint: marked`Give ‹config›, the path of a file. docs/configuration.md describes it.`, status: 2,
    })
  }
  const namesOf = (input: string): string[] => file.inputs.flatMap(({ name, names = [] }) => (name === input ? names : []))
  return { ...file, sources: { databases: namesOf('database-url'), volumes: namesOf('volumes') } }
}
