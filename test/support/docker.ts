import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Major } from './client-programs.ts'
import { serverDirectory } from './postgres-server.ts'
import { setTimeout as sleep } from 'node:timers/promises'

/** The programs of the helper container of a volume, and one for other containers. */
const PROGRAMS = ['sh', 'cat', 'date', 'flock', 'realpath', 'tar', 'find', 'df', 'id', 'mkdir', 'chmod', 'chown', 'cp', 'sync', 'touch', 'stat', 'mv', 'rm', 'rmdir', 'sleep', 'ls', 'ln']

/** A Docker daemon of its own, with an image made of this machine's programs: there is no registry. */
export class DockerDaemon {
  readonly folder: string
  readonly image = 'lifeboat-helper:test'
  readonly #stop: () => Promise<void>

  private constructor(folder: string, stop: () => Promise<void>) {
    this.folder = folder
    this.#stop = stop
  }

  static async start(): Promise<DockerDaemon> {
    const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-docker-'))
    const child = spawn(
      'dockerd',
      ['--data-root', `${folder}/data`, '--exec-root', `${folder}/exec`, '--host', `unix://${folder}/docker.sock`, '--pidfile', `${folder}/pid`, '--iptables=false', '--ip6tables=false', '--bridge=none'],
      { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, TMPDIR: folder } },
    )
    let said = ''
    child.stderr.on('data', (bytes: Buffer) => (said = (said + bytes.toString()).slice(-4000)))
    const ended = once(child, 'exit')
    const daemon = new DockerDaemon(folder, async () => {
      child.kill('SIGTERM')
      await ended
      rmSync(folder, { recursive: true, force: true })
    })
    for (;;) {
      if (child.exitCode !== null) throw new Error(`dockerd ended: ${said}`)
      if (existsSync(`${folder}/docker.sock`) && daemon.answers()) break
      await sleep(50)
    }
    daemon.#makeImage()
    return daemon
  }

  /** The variables by which the client finds it. */
  get variables(): Record<string, string> {
    return { PATH: process.env['PATH']!, HOME: this.folder, DOCKER_HOST: `unix://${this.folder}/docker.sock` }
  }

  run(...args: string[]): string {
    return execFileSync('docker', args, { env: this.variables, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim()
  }

  /** Runs a shell script over a volume. */
  inVolume(volume: string, script: string): string {
    return this.run('run', '--rm', '--network=none', '--volume', `${volume}:/v`, '--workdir', '/v', this.image, 'sh', '-euc', script)
  }

  async stop(): Promise<void> {
    const left = this.run('ps', '--all', '--quiet').split('\n').filter((id) => id !== '')
    if (left.length > 0) this.run('rm', '--force', ...left)
    await this.#stop()
  }

  answers(): boolean {
    try {
      // A daemon that has just begun to listen may leave the first client without an answer for ever.
      execFileSync('docker', ['version'], { env: this.variables, stdio: 'ignore', timeout: 10_000, killSignal: 'SIGKILL' })
      return true
    } catch {
      return false // Not yet.
    }
  }

  /** Makes an image with the server of a major, as the official one has it: its name. */
  makeServerImage(major: Major, image = `postgres:${major}`): string {
    const root = path.join(this.folder, `image-${major}`)
    for (const part of ['bin', 'lib', 'share'])
      cpSync(path.join(serverDirectory(major), part), path.join(root, 'usr/local', part), { recursive: true, verbatimSymlinks: true })
    this.#import(root, image, ['bin/postgres', 'bin/initdb'].map((program) => path.join(root, 'usr/local', program)))
    return image
  }

  #makeImage(): void {
    this.#import(path.join(this.folder, 'image'), this.image)
  }

  /** `more`: programs in the image whose libraries it needs. */
  #import(root: string, image: string, more: readonly string[] = []): void {
    for (const name of ['usr/bin', 'tmp', 'v']) mkdirSync(path.join(root, name), { recursive: true })
    symlinkSync('usr/bin', path.join(root, 'bin'))
    const programs = PROGRAMS.map((name) => {
      const program = execFileSync('readlink', ['-f', execFileSync('which', [name], { encoding: 'utf8' }).trim()], { encoding: 'utf8' }).trim()
      copyFileSync(program, path.join(root, 'usr/bin', name))
      return program
    })
    mkdirSync(path.join(root, 'etc'), { recursive: true })
    writeFileSync(path.join(root, 'etc/passwd'), 'root:x:0:0::/:/bin/sh\n')
    for (const program of [...programs, ...more]) {
      for (const [library] of execFileSync('ldd', [program], { encoding: 'utf8' }).matchAll(/\/\S+/g)) {
        mkdirSync(path.join(root, path.dirname(library)), { recursive: true })
        if (!library.startsWith(root) && !existsSync(path.join(root, library))) copyFileSync(library, path.join(root, library))
      }
    }
    execFileSync('sh', ['-c', 'tar -C "$1" -c . | docker import - "$2"', 'sh', root, image], { env: this.variables, stdio: ['ignore', 'ignore', 'inherit'] })
  }
}
