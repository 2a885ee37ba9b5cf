import { mkdir, readdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { messageOf } from '../../../error.ts'
import type { Report, Variables } from '../../../environment.ts'

/** One folder in the cache that GitHub keeps between runs. Its errors are warnings. */
export interface RunCache {
  /** The folder's path is part of the entry's identity, so it is the same in every run on such a runner. */
  readonly folder: string
  /** Fills the folder with the newest entry whose key begins with `prefix`; false if there is none. */
  readonly restore: (prefix: string) => Promise<boolean>
  readonly save: (key: string) => Promise<void>
}

/**
 * Undefined outside of a workflow, and if the runner has no cache service. `limit` is for a restore or a save, in milliseconds: the toolkit
 * waits too long for a service that is down.
 */
export async function openRunCache(
  variables: Variables,
  name: string,
  noun: string,
  limit: number,
  report: Report,
): Promise<RunCache | undefined> {
  const temporary = variables.RUNNER_TEMP
  if (!temporary || !variables.ACTIONS_RUNTIME_TOKEN) return undefined
  const { isFeatureAvailable, restoreCache, saveCache } = await import('@actions/cache')
  if (!isFeatureAvailable()) return undefined
  const folder = path.join(temporary, name)
  let usable = true

  async function attempt<T>(what: string, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await within(limit, work())
    } catch (error) {
      usable = false // A restore that timed out may still be writing into the folder.
      report.warning(
        `the PostgreSQL ${noun} could not be ${what} GitHub's cache: ${messageOf(error)}`,
        'The programs are fetched again in the next run; nothing else is affected.',
      )
      return undefined
    }
  }

  return {
    folder,
    restore: async (prefix) => {
      await rm(folder, { recursive: true, force: true })
      await mkdir(folder, { recursive: true })
      const found = await attempt('restored from', () =>
        restoreCache([folder], prefix, [prefix], { timeoutInMs: 15_000, segmentTimeoutInMs: 30_000 }),
      )
      return found !== undefined && (await readdir(folder)).length > 0
    },
    save: async (key) => {
      if (usable) await attempt('saved to', () => saveCache([folder], key))
    },
  }
}

async function within<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`no answer within ${milliseconds / 1000} s`)), milliseconds)
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
    work.catch(() => undefined) // A failure after that is ignored.
  }
}
