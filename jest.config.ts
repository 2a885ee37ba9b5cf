import type { Config } from 'jest'

const config: Config = {
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  setupFiles: ['<rootDir>/test/support/error-realms.ts', '<rootDir>/test/support/seed.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '\\.ts$': ['@swc/jest', { jsc: { target: 'es2024', parser: { syntax: 'typescript' } }, module: { type: 'es6' } }] },
  // A test that waits for a server or a program takes many times as long on a busy machine (measured: a load of 20 on two cores).
  testTimeout: 240_000,
  // More than the two cores of CI: a third of the time a test waits, for a server, a retry or a lock.
  maxWorkers: 3,
  testSequencer: '<rootDir>/test/support/longest-first.ts',
}

export default config
