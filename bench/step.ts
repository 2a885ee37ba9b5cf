// The whole step of a backup of a tiny database into GitHub artifacts, against emulated services that answer at once: the time of the
// action's process from its start to its end. Run by hand: npm run bench:step -- [runs].
import { performance } from 'node:perf_hooks'
import { WorkflowRuns } from '../test/end-to-end/workflow-runs.ts'

const count = Number(process.argv[2] ?? 10)
const runs = await WorkflowRuns.open()
try {
  const rows: { seconds: number; calls: string[] }[] = []
  for (let run = 0; run < count; run++) {
    const repository = runs.copy()
    const before = runs.github.calls.length
    const began = performance.now()
    const step = await runs.start('backup', repository)
    const { status, log } = await step.result
    const seconds = (performance.now() - began) / 1000
    if (status !== 0) throw new Error(log)
    rows.push({ seconds, calls: runs.github.calls.slice(before).map(({ name }) => name) })
    console.log(seconds.toFixed(2))
  }
  const sorted = rows.map(({ seconds }) => seconds).toSorted((a, b) => a - b)
  console.log(`${count} steps: ${sorted[0]!.toFixed(2)} s at least, median ${sorted[sorted.length >> 1]!.toFixed(2)} s, ${rows[0]!.calls.length} requests each`)
} finally {
  await runs.close()
}
