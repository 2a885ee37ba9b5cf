/** The schema of results, which `npm run generate` writes, from the top of the repository. */
export const RESULT_SCHEMA = 'docs/schema/results.schema.json'

/** Of a command in its `$defs`: `key-add` for `key add`. */
export function definitionName(command: string): string {
  return command.replaceAll(' ', '-')
}
