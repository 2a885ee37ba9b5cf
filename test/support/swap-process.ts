// A restore by an exchange in a process of its own, which a test kills: node swap-process.ts DATABASE-URL ARCHIVE PROGRAMS TEMPORARY
import { readFileSync } from 'node:fs'
import { parseDatabaseUrl } from '../../src/sources/postgres/connection.ts'
import { restoreBySwap } from '../../src/sources/postgres/swap/swap.ts'

const [url = '', archive = '', directory = '', temporary = ''] = process.argv.slice(2)
const variables = { PATH: process.env.PATH ?? '' }
const bytes = readFileSync(archive)
const tell = (message: string): void => void process.stdout.write(`${message}\n`)
const outcome = await restoreBySwap({
  name: 'app', archive: async function* () { yield Buffer.from(bytes) }, size: bytes.length, dumpMajor: 17, target: parseDatabaseUrl(url, variables), mode: 'swap',
  schemas: [], tables: [], roles: '', noOwner: false, noPrivileges: false, noTablespaces: false, allowOlder: false, disableTriggers: false, dropOthers: false, databaseSettings: undefined, jobs: 1, lockTimeout: 60_000, temporary,
  clients: [{ major: 17, directory }], signal: new AbortController().signal, variables,
  report: { info: tell, warning: tell, progress: () => undefined, mask: () => undefined },
}, { keepSettings: 'archive', lockTimeout: 60_000, terminate: false, keepOld: undefined, rows: [{ schema: 'public', name: 'orders', rows: 100 }], now: () => new Date() })
if (outcome.errors.length > 0) throw new Error(outcome.errors.join('\n'))
