import { statSync } from 'node:fs'

/** Those that take longest, measured on two cores, in an order in which only one of the first builds the program. */
export const LONGEST = [
  'commands/artifact-attacks', 'sources/postgres/drill/drill', 'end-to-end/killed', 'end-to-end/artifact-service', 'end-to-end/interrupts', 'end-to-end/round-trips',
  'sources/volumes/hostile-archives', 'sources/volumes/replacement', 'sources/volumes/docker', 'stores/sftp-servers', 'stores/webdav-servers',
  'sources/postgres/client-download-cache', 'end-to-end/secrets', 'end-to-end/sources', 'end-to-end/damage',
]

interface Test {
  path: string
}

/** Jest's order of tests: the longest first, so that none of them is left to one core at the end; then the largest files first. */
export default class LongestFirst {
  sort(tests: readonly Test[]): Test[] {
    const size = new Map(tests.map((test) => [test, statSync(test.path).size]))
    const largest = tests.toSorted((one, other) => size.get(other)! - size.get(one)!)
    const longest = LONGEST.flatMap((name) => largest.filter(({ path }) => path.endsWith(`/test/${name}.test.ts`)))
    return [...new Set([...longest, ...largest])]
  }

  cacheResults(): void {}
}
