import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import os from 'node:os'

/** A line that says what the figures were measured on. */
export function machine(folder: string): string {
  const [cpu] = os.cpus()
  const system = /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? os.type()
  const virtual = /hypervisor/.test(readFileSync('/proc/cpuinfo', 'utf8')) ? ' (a virtual machine)' : ''
  const files = execFileSync('stat', ['--file-system', '--format=%T', folder], { encoding: 'utf8' }).trim()
  return `${cpu?.model.trim() ?? 'unknown processor'}${virtual}, ${(os.totalmem() / 2 ** 30).toFixed(0)} GiB of memory, ${files}, ${system}, Linux ${os.release()}, Node ${process.versions.node}`
}

/** The first line a program prints of its version. */
export function versionOf(program: string): string {
  return execFileSync(program, [program.endsWith('restic') ? 'version' : '--version'], { encoding: 'utf8' }).split('\n')[0]!.replace(/ compiled with.*/, '')
}

/** The last commit that changed this program, with a + if it was changed since. */
export function programVersion(): string {
  const places = ['../src', '../package-lock.json']
  return `${git('log', '-1', '--format=%h', '--', ...places)}${git('status', '--porcelain', '--', ...places) === '' ? '' : '+'}`
}

function git(...parameters: string[]): string {
  return execFileSync('git', parameters, { cwd: import.meta.dirname, encoding: 'utf8' }).trim()
}
