import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'

/** The floors of the house (docs/architecture.md), from the ground up. */
const floors: readonly (readonly string[])[] = [
  ['error.ts', 'marks.ts', 'nearest.ts', 'version.ts', 'environment.ts'],
  ['process/', 'net/'],
  ['stores/'],
  ['report/', 'repository/', 'notify/', 'sources/'],
  ['inputs/'],
  ['commands/'],
  ['actions/', 'cli/'],
]

/** Folders of one floor that know nothing of each other. */
const apart: readonly (readonly [folder: string, other: string])[] = [
  ['repository/', 'sources/'],
  ['repository/', 'report/'],
  ['repository/', 'notify/'],
  ['notify/', 'sources/'],
  ['process/', 'net/'],
]

/** Folders with a folder per kind, and what the folders of kinds may import there besides themselves and the files beside them. */
const kinds: readonly { folder: string; shared: readonly string[] }[] = [
  { folder: 'sources/', shared: ['sources/files/'] },
  { folder: 'stores/', shared: [] },
]

/** Imports from one kind to another, each with its reason. */
const between: Readonly<Record<string, string>> = {
  'sources/buckets/kind.ts -> sources/volumes/drill.ts': 'a drill restores objects into a folder, as it does the files of a volume',
  'stores/rclone/store.ts -> stores/webdav/store.ts': '`rclone serve webdav` is how an rclone remote is reached',
}

/** Imports from outside of src/sources into the folder of a kind, but for the types of its settings; each with its reason. */
const intoKinds: Readonly<Record<string, string>> = {
  'commands/init/workflows.ts -> sources/postgres/client-download/official-images.ts': 'the workflow of drills runs an image that is pinned there',
  'commands/quiesce.ts -> sources/volumes/docker.ts': 'containers are stopped with the same docker client',
  'inputs/kind-options.ts -> sources/volumes/docker.ts': 'the default of the input is the image that is pinned there',
}

const source = path.join(import.meta.dirname, '../src')
const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))

/** The files of src/ that each imports, `import type` included. */
const imports = new Map(
  files.map((file) => {
    const text = readFileSync(path.join(source, file), 'utf8')
    const names = importsIn(text).map((name) => path.join(path.dirname(file), name))
    return [file, [...new Set(names)].filter((name) => !name.startsWith('..') && files.includes(name))]
  }),
)

/** The relative paths that a text imports, whatever the quotes. */
function importsIn(text: string): string[] {
  return [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*(['"`])(\.(?:(?!\1).)+\.ts)\1/g)].map((match) => match[2]!)
}

function floorOf(file: string): number {
  const floor = floors.findIndex((parts) => parts.some((part) => (part.endsWith('/') ? file.startsWith(part) : file === part)))
  if (floor < 0) throw new Error(`src/${file} is on no floor: name its folder in this test`)
  return floor
}

/** Groups of files, or of folders, that import each other in a circle (Tarjan's algorithm). */
function circles(imports: ReadonlyMap<string, readonly string[]>): string[][] {
  const found: string[][] = []
  const order = new Map<string, number>()
  const lowest = new Map<string, number>()
  const open: string[] = []
  const visit = (file: string): void => {
    order.set(file, order.size)
    lowest.set(file, order.get(file)!)
    open.push(file)
    for (const next of imports.get(file)!) {
      if (!order.has(next)) visit(next)
      if (open.includes(next)) lowest.set(file, Math.min(lowest.get(file)!, lowest.get(next)!))
    }
    if (lowest.get(file) !== order.get(file)) return
    const group = open.splice(open.indexOf(file))
    if (group.length > 1 || imports.get(file)!.includes(file)) found.push(group.toSorted())
  }
  for (const file of imports.keys()) if (!order.has(file)) visit(file)
  return found.toSorted((a, b) => (a[0]! < b[0]! ? -1 : 1))
}

test('no files import each other in a circle', () => {
  expect(circles(imports)).toEqual([])
})

function commandFolder(file: string): string | undefined {
  return /^commands\/[^/]+(?=\/)/.exec(file)?.[0]
}

test('no folders of commands import each other in a circle', () => {
  const between = new Map<string, string[]>()
  for (const [file, names] of imports) {
    const own = commandFolder(file)
    if (own === undefined) continue
    const others = names.flatMap((name) => commandFolder(name) ?? []).filter((folder) => folder !== own)
    between.set(own, [...(between.get(own) ?? []), ...others])
  }
  expect(circles(between)).toEqual([])
})

test('imports lead to the same floor or to a lower one', () => {
  expect(arrows((file, name) => floorOf(name) > floorOf(file))).toEqual([])
})

test('folders that are apart import nothing of each other', () => {
  expect(arrows((file, name) => apart.some(([folder, other]) => file.startsWith(folder) && name.startsWith(other)))).toEqual([])
})

test('the folder of a kind imports nothing of another kind', () => {
  const found = kinds.flatMap(({ folder, shared }) => {
    const own = new RegExp(`^${folder}[^/]+/`)
    return arrows((file, name) => {
      const [here] = own.exec(file) ?? []
      const [there] = own.exec(name) ?? []
      return here !== undefined && there !== undefined && here !== there && !shared.includes(there)
    })
  })
  expect(found.toSorted()).toEqual(Object.keys(between).toSorted())
})

test('code outside of src/sources asks the kinds of sources through their contract', () => {
  const found = arrows((file, name) => !file.startsWith('sources/') && /^sources\/(?!files\/)[^/]+\/(?!settings\.ts$)/.test(name))
  expect(found.toSorted()).toEqual(Object.keys(intoKinds).toSorted())
})

test('every folder and file that is named here exists', () => {
  const named = [...floors.flat(), ...apart.flat(), ...kinds.flatMap(({ folder, shared }) => [folder, ...shared])]
  expect(named.filter((part) => !existsSync(path.join(source, part)))).toEqual([])
})

test.each(["import a from './a.ts'", 'import a from "./a.ts"', 'await import(`./a.ts`)', "export * from './a.ts'", "import './a.ts'"])('%s is seen', (line) => {
  expect(importsIn(line)).toEqual(['./a.ts'])
})

function arrows(wanted: (file: string, imported: string) => boolean): string[] {
  return [...imports].flatMap(([file, names]) => names.filter((name) => wanted(file, name)).map((name) => `${file} -> ${name}`))
}
