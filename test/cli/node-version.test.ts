import { spawnSync } from 'node:child_process'
import { lifeboatEntry } from '../support/terminal-program.ts'

/** Runs the program under a Node that says it is of another version. */
function lifeboatUnder(version: string): { status: number | null; stderr: string } {
  const pretence = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } })`
  return spawnSync(process.execPath, [`--import=data:text/javascript,${encodeURIComponent(pretence)}`, lifeboatEntry(), '--version'], { encoding: 'utf8' })
}

test.each(['20.20.2', '24.5.0'])('Node %s is refused plainly, before anything it lacks is missed', (version) => {
  const { status, stderr } = lifeboatUnder(version)
  expect(status).toBe(2)
  expect(stderr).toContain(`error: Lifeboat needs Node 24.6 or newer; this is Node ${version}\nhint: `)
})

test.each(['24.6.0', '26.0.0'])('Node %s is welcome', (version) => {
  expect(lifeboatUnder(version)).toMatchObject({ status: 0, stderr: '' })
})
