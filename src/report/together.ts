import type { Report } from '../environment.ts'

/** A report for works that go on at the same time: their progress is shown as that of one. `total`: bytes of all of them. */
export function together(report: Report, activity: string, total: number): Report {
  const done = new Map<string, number>()
  return {
    ...report,
    progress: (one) => {
      done.set(one.activity, one.done)
      report.progress({ activity, done: [...done.values()].reduce((sum, bytes) => sum + bytes, 0), total })
    },
  }
}
