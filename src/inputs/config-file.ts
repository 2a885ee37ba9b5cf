import type { Input } from './input.ts'
import { text } from './schemas.ts'

/** Of every command: the file that its other inputs may come from. */
export const configInput = {
  help:
    'A YAML file with inputs, by the same names, for what is given neither here nor by an environment variable ' +
    '(docs/configuration.md). At a terminal, the default is lifeboat.yml in the working directory, if there is one; none: no file.',
  expected: 'the path of a file, or none',
  example: 'lifeboat.yml',
  schema: text,
  variable: 'LIFEBOAT_CONFIG',
  short: 'c',
} as const satisfies Input
