/**
 * Ends this process now, after its exit handlers have run. `process.exit` waits for file operations under way, and one on a share whose
 * server is gone never ends; then another program takes this one's place, which only ends with the status.
 */
export function exit(status: number): never {
  const reading = process.getActiveResourcesInfo().some((resource) => resource.startsWith('FSReq'))
  if (reading && process.platform !== 'win32') {
    process.emit('exit', status)
    process.execve?.('/bin/sh', ['sh', '-c', `exit ${status}`], {})
  }
  process.exit(status)
}
