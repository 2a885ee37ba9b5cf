import type { Config } from 'jest'
import base, { LONG } from './jest.config.ts'

const config: Config = { ...base, testPathIgnorePatterns: ['/node_modules/'], testMatch: LONG.map((file) => `<rootDir>/${file}`) }

export default config
