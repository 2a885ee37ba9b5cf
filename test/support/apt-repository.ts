import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import path from 'node:path'
import { sha256 } from './bytes.ts'
import { clientDirectory, type Major, run } from './client-programs.ts'
import { serverDirectory } from './postgres-server.ts'
import { listening } from './free-port.ts'

/** A Debian archive on loopback, signed with a throw-away key. */
export interface AptRepository {
  /** The URL of its source: `http://127.0.0.1:<port>/debian`. */
  readonly uri: string
  /** The public key in ASCII armour, and a file with it. */
  readonly key: string
  readonly keyFile: string
  /** Signs a suite with these packages in its component `main`. */
  publish(suite: string, packages: readonly string[]): Promise<void>
  /** Paths that were asked for since the last call. */
  requests(): string[]
  /** Changes what is answered to a request for a path that ends so: other bytes, or no answer at all. */
  tamper(ending: string, change: ((bytes: Buffer) => Buffer) | 'silence'): void
  /** Forgets requests and changes. */
  reset(): void
  stop(): Promise<void>
}

export async function startRepository(): Promise<AptRepository> {
  // A short path: the socket of gpg-agent is in it.
  const folder = mkdtempSync('/tmp/lifeboat-apt-')
  const home = path.join(folder, 'gpg')
  mkdirSync(home, { mode: 0o700 })
  const gpg = (...args: string[]) => run('gpg', ['--batch', '--quiet', '--homedir', home, '--pinentry-mode', 'loopback', '--passphrase', '', ...args])
  await gpg('--quick-generate-key', 'Lifeboat test archive', 'ed25519', 'sign', 'never')
  const key = await gpg('--armor', '--export')
  const keyFile = path.join(folder, 'archive.asc')
  writeFileSync(keyFile, key)

  const asked: string[] = []
  const changes = new Map<string, ((bytes: Buffer) => Buffer) | 'silence'>()
  const files = path.join(folder, 'files')
  const server = createServer((request, response) => {
    const name = new URL(request.url ?? '/', 'http://archive').pathname
    asked.push(name)
    answer(path.join(files, decodeURIComponent(name)), [...changes].find(([ending]) => name.endsWith(ending))?.[1], response)
  })
  return {
    uri: `http://127.0.0.1:${await listening(server)}/debian`,
    key,
    keyFile,
    publish: async (suite, packages) => {
      const root = path.join(files, 'debian')
      const release = path.join(root, 'dists', suite)
      const architecture = (await run('dpkg', ['--print-architecture'])).trim()
      const stanzas: string[] = []
      for (const file of packages) {
        const name = `pool/main/${path.basename(file)}`
        mkdirSync(path.join(root, 'pool/main'), { recursive: true })
        copyFileSync(file, path.join(root, name))
        stanzas.push(`${(await run('dpkg-deb', ['--field', file])).trim()}\nFilename: ${name}\nSize: ${statSync(file).size}\nSHA256: ${sha256(readFileSync(file))}\n`)
      }
      const index = `main/binary-${architecture}/Packages`
      mkdirSync(path.join(release, path.dirname(index)), { recursive: true })
      const packed = xz(stanzas.join('\n'))
      writeFileSync(path.join(release, `${index}.xz`), packed)
      const text = [
        'Origin: Lifeboat', `Suite: ${suite}`, `Codename: ${suite}`, `Date: ${new Date().toUTCString()}`, `Architectures: ${architecture}`, 'Components: main',
        // As in a real archive the plain index has its checksum here, and only a compressed one is there.
        'SHA256:', ` ${sha256(Buffer.from(stanzas.join('\n')))} ${Buffer.byteLength(stanzas.join('\n'))} ${index}`,
        ` ${sha256(packed)} ${packed.length} ${index}.xz`, '',
      ].join('\n')
      writeFileSync(path.join(release, 'Release'), text)
      await gpg('--yes', '--clear-sign', '--output', path.join(release, 'InRelease'), path.join(release, 'Release'))
      await gpg('--yes', '--armor', '--detach-sign', '--output', path.join(release, 'Release.gpg'), path.join(release, 'Release'))
    },
    requests: () => asked.splice(0),
    tamper: (ending, change) => void changes.set(ending, change),
    reset: () => {
      asked.length = 0
      changes.clear()
    },
    stop: async () => {
      server.close()
      server.closeAllConnections()
      await run('gpgconf', ['--homedir', home, '--kill', 'gpg-agent'])
      // The agent removes its sockets while it ends, and rmSync stops in silence at a file that vanishes under it.
      while (existsSync(folder)) rmSync(folder, { recursive: true, force: true })
    },
  }
}

function answer(file: string, change: ((bytes: Buffer) => Buffer) | 'silence' | undefined, response: ServerResponse): void {
  if (change === 'silence') return
  if (!existsSync(file) || !statSync(file).isFile()) {
    response.writeHead(404).end()
    return
  }
  const bytes = readFileSync(file)
  response.end(change ? change(bytes) : bytes)
}

export interface GivenPackage {
  name: string
  version: string
  depends?: string
  /** Executable files by their path: their text. */
  scripts?: Record<string, string>
  /** A folder whose content is the package's. */
  tree?: string
}

/** Builds a package in `folder`; its path. */
export async function makePackage(folder: string, { name, version, depends, scripts = {}, tree }: GivenPackage): Promise<string> {
  const root = mkdtempSync(path.join(folder, 'package-'))
  chmodSync(root, 0o755)
  if (tree !== undefined) cpSync(tree, root, { recursive: true, verbatimSymlinks: true })
  for (const [file, text] of Object.entries(scripts)) {
    mkdirSync(path.dirname(path.join(root, file)), { recursive: true })
    writeFileSync(path.join(root, file), text, { mode: 0o755 })
  }
  const architecture = (await run('dpkg', ['--print-architecture'])).trim()
  const control = [
    `Package: ${name}`, `Version: ${version}`, `Architecture: ${architecture}`, 'Maintainer: nobody <nobody@example.org>', ...(depends ? [`Depends: ${depends}`] : []),
    `Description: ${name} for a test`, '',
  ]
  mkdirSync(path.join(root, 'DEBIAN'))
  writeFileSync(path.join(root, 'DEBIAN/control'), control.join('\n'))
  const file = path.join(folder, `${name}_${version}_${architecture}.deb`)
  await run('dpkg-deb', ['-Znone', '--root-owner-group', '--build', root, file])
  rmSync(root, { recursive: true })
  return file
}

const programs = ['pg_dump', 'pg_dumpall', 'pg_restore', 'psql']

/** A `postgresql-client-<major>` whose programs only tell a version. */
export function makeTalkingClient(folder: string, major: number, { version = `${major}.1-1`, depends = '', says = `${major}.1` } = {}): Promise<string> {
  const scripts = programs.map((program) => [`usr/lib/postgresql/${major}/bin/${program}`, `#!/bin/sh\necho "${program} (PostgreSQL) ${says}"\n`])
  return makePackage(folder, { name: `postgresql-client-${major}`, version, depends, scripts: Object.fromEntries(scripts) })
}

/**
 * The real programs of a major as the packages `postgresql-client-<major>` and `libpq5`. Where they are of another suite of the distribution they run with
 * that suite's loader and libraries, which are then in the package, beside the programs.
 */
export async function makeRealClient(folder: string, major: Major): Promise<string[]> {
  const directory = clientDirectory(major)
  const version = `${major}.5-1`
  const tree = mkdtempSync(path.join(folder, 'tree-'))
  const bin = path.join(tree, `usr/lib/postgresql/${major}/bin`)
  const foreign = path.join(directory, '../bin.elf')
  mkdirSync(bin, { recursive: true })
  let libpq: string
  if (existsSync(foreign)) {
    const root = path.join(directory, '../../../../..')
    const libraries = path.join(root, 'usr/lib/x86_64-linux-gnu')
    const loader = path.join(libraries, 'ld-linux-x86-64.so.2')
    const own = path.join(tree, `usr/lib/postgresql/${major}/private`)
    mkdirSync(own)
    copyFileSync(loader, path.join(own, 'loader'))
    libpq = path.join(libraries, 'libpq.so.5')
    for (const program of programs) {
      const elf = path.join(foreign, program)
      copyFileSync(elf, path.join(own, program))
      const needs = await run(loader, ['--library-path', `${libraries}:${path.join(root, 'lib/x86_64-linux-gnu')}`, '--list', elf])
      for (const match of needs.matchAll(/=> (\S+)/g)) if (!match[1]!.includes('libpq')) copyFileSync(match[1]!, path.join(own, path.basename(match[1]!)))
      // LD_LIBRARY_PATH is what leads to libpq, as it does with a program that needs no loader of its own.
      const script = `#!/bin/sh\nown=\${0%/*}/../private\nexec "$own/loader" --library-path "$own:$LD_LIBRARY_PATH" --argv0 "$0" "$own/${program}" "$@"\n`
      writeFileSync(path.join(bin, program), script, { mode: 0o755 })
    }
  } else {
    for (const program of programs) copyFileSync(path.join(directory, program), path.join(bin, program))
    libpq = /libpq\.so\.5 => (\S+)/.exec(await run('ldd', [path.join(directory, 'psql')]))?.[1] ?? ''
  }
  const libpqTree = mkdtempSync(path.join(folder, 'tree-'))
  const place = path.join(libpqTree, 'usr/lib/x86_64-linux-gnu')
  mkdirSync(place, { recursive: true })
  const real = path.basename(realpathSync(libpq))
  copyFileSync(libpq, path.join(place, real))
  symlinkSync(real, path.join(place, 'libpq.so.5'))
  const made = [
    await makePackage(folder, { name: `postgresql-client-${major}`, version, tree, depends: `libpq5 (>= ${major}), postgresql-client-common (>= 182~), sensible-utils, libc6 (>= 2.14)` }),
    await makePackage(folder, { name: 'libpq5', version, tree: libpqTree, depends: 'libc6 (>= 2.14)' }),
  ]
  for (const folder of [tree, libpqTree]) rmSync(folder, { recursive: true })
  return made
}

/** The real programs of a server of a major, with its extensions, as the package `postgresql-<major>`. */
export async function makeRealServer(folder: string, major: Major): Promise<string> {
  const tree = mkdtempSync(path.join(folder, 'tree-'))
  const place = path.join(tree, `usr/lib/postgresql/${major}`)
  mkdirSync(place, { recursive: true })
  for (const part of ['bin', 'lib', 'share']) cpSync(path.join(serverDirectory(major), part), path.join(place, part), { recursive: true, verbatimSymlinks: true })
  const depends = `postgresql-client-${major}, postgresql-common (>= 252~), ssl-cert, locales | locales-all, libllvm19 (>= 1:19.1), libc6 (>= 2.14)`
  const made = await makePackage(folder, { name: `postgresql-${major}`, version: `${major}.5-1`, tree, depends })
  rmSync(tree, { recursive: true })
  return made
}

const xz = (text: string) => execFileSync('xz', ['--stdout'], { input: text })
