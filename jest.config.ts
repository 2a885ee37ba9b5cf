import type { Config } from 'jest'

/** They take one to two minutes each. `npm run test:long` runs them, in CI on GitHub a job of its own. */
export const LONG = [
  'test/commands/artifact-requests.test.ts', 'test/commands/many-tables-parts.test.ts', 'test/end-to-end/many-machines.test.ts', 'test/sources/postgres/drill/majors.test.ts',
  'test/sources/postgres/parallel-restore-majors.test.ts',
  'test/sources/volumes/other-users.test.ts', 'test/stores/artifact-faults.test.ts', 'test/stores/artifact-large.test.ts', 'test/stores/artifact-runs.test.ts',
]

const config: Config = {
  testPathIgnorePatterns: ['/node_modules/', ...LONG.map((file) => `<rootDir>/${file}`)],
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  setupFiles: ['<rootDir>/test/support/error-realms.ts', '<rootDir>/test/support/seed.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '\\.ts$': ['@swc/jest', { jsc: { target: 'es2024', parser: { syntax: 'typescript' } }, module: { type: 'es6' } }] },
  // A test that waits for a server or a program takes many times as long on a busy machine (measured: a load of 20 on two cores).
  testTimeout: 240_000,
  // More than the two cores of CI: a third of the time a test waits, for a server, a retry or a lock.
  maxWorkers: 3,
  // Jest keeps some 12 MB of each test file, and starting a program takes 25 ms of CPU time more for each GB its parent has. A new worker takes half a second.
  workerIdleMemoryLimit: '150MB',
  // Half a second by default, which a busy machine needs without any handle that a test left open.
  workerGracefulExitTimeout: 10_000,
  testSequencer: '<rootDir>/test/support/longest-first.ts',
}

export default config
