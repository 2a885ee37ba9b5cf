import type { Environment } from '../../environment.ts'
import { LifeboatError } from '../../error.ts'
import { asksForRecovery } from '../../notify/targets.ts'
import type { Keys } from '../../repository/keys.ts'
import { keepStanding, readStanding } from '../../repository/standing.ts'
import type { Store } from '../../stores/store.ts'
import type { BackupInputs } from './inputs.ts'

/** Whether this backup is the first good one after a failure. In artifacts this is kept beside the snapshot, at no further request. */
export class Recovery {
  readonly recovered: boolean
  readonly #keep: () => Promise<void>

  private constructor(recovered: boolean, keep: () => Promise<void>) {
    this.recovered = recovered
    this.#keep = keep
  }

  /** Undefined if nobody asks, or if it cannot be found out. */
  static async of(
    { notify, set }: Pick<BackupInputs, 'notify' | 'set'>, store: Store, keys: Keys, environment: Environment,
  ): Promise<Recovery | undefined> {
    if (!asksForRecovery(notify.targets)) return undefined
    const about = (): { set: string; command: string; now: Date } => ({ set, command: 'backup', now: environment.now() })
    return attempt(environment, async () => {
      const recovered = (await readStanding(store, keys, about())) === 'failed'
      return new Recovery(recovered, async () => {
        if (recovered) await attempt(environment, () => keepStanding(store, keys, about(), 'good'))
      })
    })
  }

  /** Keeps that the backup is good; to be called when only its snapshot is left to put. */
  keep(): Promise<void> {
    return this.#keep()
  }
}

/** No backup depends on it. */
async function attempt<T>({ signal, report }: Environment, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof LifeboatError)) throw error
    report.info(`how the backup before ended is not known, or not kept: ${error.message}`)
    return undefined
  }
}
