import { execFileSync } from 'node:child_process'
import { closeSync, fsyncSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { median } from './statistics.ts'

/** Lines that say what the figures were measured on. */
export function machine(folder: string, versions: string[], load: number): string[] {
  const [cpu] = os.cpus()
  const system = /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? os.type()
  const { writing, syncing } = disk(folder)
  return [
    `${os.availableParallelism()} cores of ${cpu?.model.trim() ?? 'an unknown processor'}${/hypervisor/.test(readFileSync('/proc/cpuinfo', 'utf8')) ? ' (a virtual machine)' : ''}, ${(os.totalmem() / 2 ** 30).toFixed(0)} GiB of memory`,
    `disk (${fileSystem(folder)}): ${writing.toFixed(0)} MB/s written and synced, ${(syncing * 1000).toFixed(1)} ms for a small file to be synced`,
    `${system}, Linux ${os.release()}, Node ${process.versions.node} with zstd ${process.versions['zstd']}`,
    versions.join(', '),
    `load average before all that: ${load.toFixed(1)} (times say little unless it is well below 1)`,
  ]
}

/** The first line a program prints of its version. */
export function versionOf(program: string): string {
  return execFileSync(program, [program.endsWith('restic') ? 'version' : '--version'], { encoding: 'utf8' }).split('\n')[0]!.replace(/ compiled with.*/, '')
}

function fileSystem(folder: string): string {
  return execFileSync('stat', ['--file-system', '--format=%T', folder], { encoding: 'utf8' }).trim()
}

/** Bytes of 256 MiB written in one go and synced, in MB/s; seconds that a file of 4 KiB takes to be durable. */
function disk(folder: string): { writing: number; syncing: number } {
  const file = path.join(folder, 'probe')
  const timed = (blocks: number, size: number): number => {
    const started = performance.now()
    const handle = openSync(file, 'w')
    for (let block = 0; block < blocks; block++) writeSync(handle, Buffer.alloc(size, block + 1))
    fsyncSync(handle)
    closeSync(handle)
    return (performance.now() - started) / 1000
  }
  const writing = (256 * 2 ** 20) / timed(64, 4 * 2 ** 20) / 1e6
  const syncing = median(Array.from({ length: 30 }, () => timed(1, 4096)))
  rmSync(file)
  return { writing, syncing }
}
