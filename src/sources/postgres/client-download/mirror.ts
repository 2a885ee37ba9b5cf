import { createHash } from 'node:crypto'
import { copyFile, mkdir, readdir, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { LifeboatError } from '../../../error.ts'
import { addSource, type Apt, runApt, sourceFiles } from './apt.ts'

// A small mirror is kept across runs: the packages, and from their archives the signed release file and the index that lists them. apt
// reads a kept mirror like any archive, with the keys of this machine, so that someone who can write to the cache can forge nothing.

/** Names that mean exactly one folder; archives with other ones (flat ones, `stable/updates`) are not mirrored. */
const plain = /^[A-Za-z0-9][\w.+-]*$/

/** Copies everything into `folder` that apt needs to verify and install `packages` again. Throws if their archive cannot be mirrored. */
export async function keepMirror(apt: Apt, packages: readonly string[], folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true })
  const targets = await runApt(apt, 'apt-get', [
    'indextargets',
    '--format',
    '$(FILENAME)|$(METAKEY)|$(RELEASE)|$(COMPONENT)',
    'Created-By: Packages',
  ])
  const missing = new Map(
    await Promise.all(
      packages.map(
        async (file) =>
          [
            createHash('sha256')
              .update(await readFile(file))
              .digest('hex'),
            file,
          ] as const,
      ),
    ),
  )
  for (const [number, target] of targets.trim().split('\n').entries()) {
    if (missing.size === 0) break
    const [file = '', key = '', release = '', component = ''] = target.split('|')
    const text = await readFile(file, 'utf8')
    const held = [...missing].filter(([hash]) => text.includes(`\nSHA256: ${hash}\n`))
    if (held.length === 0 || !plain.test(release) || !plain.test(component)) continue
    const root = path.join(folder, String(number))
    await place(file, path.join(root, 'dists', release, key))
    const prefix = file.slice(0, file.indexOf(`_${key.replaceAll('/', '_')}`))
    for (const name of ['InRelease', 'Release', 'Release.gpg']) {
      if ((await readdir(path.dirname(file))).includes(`${path.basename(prefix)}_${name}`))
        await place(`${prefix}_${name}`, path.join(root, 'dists', release, name))
    }
    for (const [hash, deb] of held) {
      const stanza = text.split('\n\n').find((stanza) => `${stanza}\n`.includes(`\nSHA256: ${hash}\n`))
      const name = /^Filename: (.+)$/m.exec(stanza ?? '')?.[1]
      if (name === undefined || path.isAbsolute(name) || name.split('/').includes('..')) continue
      await place(deb, path.join(root, name))
      missing.delete(hash)
    }
  }
  if (missing.size > 0)
    throw new LifeboatError(`no index that can be kept lists ${[...missing.values()].map((file) => path.basename(file)).join(', ')}`)
}

/**
 * Makes a kept mirror the sources of a private apt that has none. The mirror is not trusted: the names of its folders only select the
 * trusted key to check it with, the PostgreSQL project's or the machine's.
 */
export async function useMirror(apt: Apt, folder: string, machine: readonly string[], project: string): Promise<void> {
  for (const number of await readdir(folder)) {
    for (const suite of await readdir(path.join(folder, number, 'dists'))) {
      const inside = await readdir(path.join(folder, number, 'dists', suite), { withFileTypes: true })
      const components = inside.filter((entry) => entry.isDirectory()).map((entry) => entry.name)
      if (![number, suite, ...components].every((name) => plain.test(name))) throw new LifeboatError(`it has unexpected names`)
      await addSource(apt, `kept-${number}-${suite}`, {
        uri: `copy:${encodeURI(path.join(folder, number))}`, suite, components, signedBy: suite.endsWith('-pgdg') ? project : machine,
        options: { 'By-Hash': 'no', PDiffs: 'no', 'Check-Valid-Until': 'no' },
      })
    }
  }
}

/** The files of all keys that the machine's apt trusts for one source or for all. */
export async function machineKeys(machine: string): Promise<string[]> {
  const named = (await sourceFiles(machine)).flatMap(({ text }) =>
    [...text.matchAll(/^[^#\n]*signed-by[:=]\s*(\/[^\s\]]+)/gim)].flatMap((match) => match[1]!.split(',')),
  )
  const folder = path.join(machine, 'trusted.gpg.d')
  const general = (await readdir(machine)).includes('trusted.gpg.d')
    ? (await readdir(folder)).filter((name) => /\.(?:gpg|asc)$/.test(name))
    : []
  return [...new Set([...named, ...general.map((name) => path.join(folder, name))])]
}

async function place(from: string, to: string): Promise<void> {
  await mkdir(path.dirname(to), { recursive: true })
  await copyFile(from, to)
}
