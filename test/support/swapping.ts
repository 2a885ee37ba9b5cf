import type { RestoreOutcome } from '../../src/sources/postgres/restore-outcome.ts'
import type { RestoreOptions } from '../../src/sources/postgres/restore-plan.ts'
import { restoreBySwap, type SwapOptions } from '../../src/sources/postgres/swap/swap.ts'
import type { AfterSwapOptions } from '../../src/sources/postgres/swap/after-swap.ts'
import { parseDatabaseUrl } from '../../src/sources/postgres/connection.ts'
import type { Server } from './postgres-server.ts'
import { clients, restoreOptions, variables } from './restoring.ts'

const settings: SwapOptions = { keepSettings: 'archive', lockTimeout: 2000, terminate: false, keepOld: undefined, rows: [], now: () => new Date() }

/** Restores by an exchange, with the default of every option that is not given. */
export function swapInto(
  server: Server, database: string, bytes: Buffer, temporary: string, told: string[], more: Partial<SwapOptions> = {}, options: Partial<RestoreOptions> = {},
): Promise<RestoreOutcome> {
  return restoreBySwap(restoreOptions(server, database, bytes, temporary, told, { mode: 'swap', ...options }), { ...settings, ...more })
}

/** The options of undo and forget-old. */
export function afterSwapOptions(server: Server, database: string, more: Partial<AfterSwapOptions> = {}): AfterSwapOptions {
  const quiet = { info: () => undefined, warning: () => undefined, progress: () => undefined, mask: () => undefined, redacted: (text: string) => text }
  return { ...settings, dryRun: false, target: parseDatabaseUrl(server.url(database), variables), clients, variables, signal: new AbortController().signal, report: quiet, ...more }
}
