import { LifeboatError } from '../error.ts'

const processors = ['x64', 'arm64']
const systems: Readonly<Record<string, string>> = { darwin: 'macOS', win32: 'Windows', linux: 'Linux' }

/**
 * Throws, with status 2, on a runner that the actions do not support. They need Linux, because leftover processes are found in /proc,
 * and x64 or arm64, because the client programs of PostgreSQL are fetched for these.
 */
export function requireSupportedRunner(platform: string, processor: string): void {
  if (platform === 'linux' && processors.includes(processor)) return
  throw new LifeboatError(
    `Lifeboat's actions run on Linux, x64 or arm64; this runner is ${systems[platform] ?? platform} on ${processor}`,
    {
      hint: 'Set runs-on: ubuntu-24.04 or ubuntu-24.04-arm for this job, or use a Linux runner of your own.',
      status: 2,
    },
  )
}
