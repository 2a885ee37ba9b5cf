import { setTimeout as sleep } from 'node:timers/promises'

/** Resolves when the condition holds. The time limit is that of the test. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(10)
}
