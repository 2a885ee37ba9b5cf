// npm run bench:step -- [--rounds 10] [--write]: the whole step of a backup of a tiny database into GitHub artifacts, against emulated services that answer at once:
// the time of the action's process from its start to its end.
import { performance } from 'node:perf_hooks'
import { WorkflowRuns } from '../test/end-to-end/workflow-runs.ts'
import { bench } from './harness.ts'

await bench({ rounds: 10 }, ({ rounds, table }) => table('step', async (add) => {
  const runs = await WorkflowRuns.open()
  try {
    for (let round = 1; round <= rounds; round++) {
      const repository = runs.copy()
      const before = runs.github.calls.length
      const began = performance.now()
      const { status, log } = await (await runs.start('backup', repository)).result
      const seconds = (performance.now() - began) / 1000
      if (status !== 0) throw new Error(log)
      add('first backup', 'Lifeboat', { seconds, requests: runs.github.calls.length - before })
    }
  } finally {
    await runs.close()
  }
}))
