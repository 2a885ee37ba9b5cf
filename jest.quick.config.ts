import type { Config } from 'jest'
import base from './jest.config.ts'
import { quickTests } from './scripts/quick-tests.ts'

const config: Config = {
  ...base,
  testMatch: quickTests().map((file) => `<rootDir>/${file}`),
  setupFiles: [...base.setupFiles!, '<rootDir>/test/support/no-programs.ts'],
}

export default config
