import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, linkSync, lutimesSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { jest } from '@jest/globals'
import { Volumes } from '../../support/volume.ts'

let folder: string
beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-volume-drill-'))
  const files = path.join(folder, 'files')
  mkdirSync(path.join(files, 'deep/er'), { recursive: true })
  writeFileSync(path.join(files, 'deep/er/page.html'), 'hello')
  writeFileSync(path.join(files, 'empty'), '')
  writeFileSync(Buffer.concat([Buffer.from(`${files}/`), Buffer.from('odd\n\\ \xff name', 'latin1')]), 'x')
  truncateSync(path.join(files, 'empty'), 3_000_000) // With a hole.
  linkSync(path.join(files, 'deep/er/page.html'), path.join(files, 'again'))
  symlinkSync('nowhere', path.join(files, 'link'))
  lutimesSync(path.join(files, 'link'), 1e9, 1e9)
  execFileSync('mkfifo', [path.join(files, 'pipe')])
  // As cp -al makes them: only files stay hard links.
  for (const name of ['link', 'pipe']) linkSync(path.join(files, name), path.join(files, `deep/er/${name}`))
  chmodSync(path.join(files, 'deep'), 0o1750)
  utimesSync(path.join(files, 'deep/er'), 123.5, 123.5)
  utimesSync(path.join(files, 'deep'), 1_000_000_000.25, 1_000_000_000.25)
  await new Volumes(folder).backup({ volumes: `files=${files}` })
})
afterAll(() => rmSync(folder, { recursive: true }))

const entries = 11

test('a volume is restored and found equal, and nothing of it stays', async () => {
  const result = await new Volumes(folder).verify({ level: 'drill' })
  expect(result).toMatchObject({ result: 'verified', problems: [], sources: [{ drill: { entries } }] })
  expect(existsSync(path.join(folder, 'staging')) ? readdirSync(path.join(folder, 'staging')) : []).toEqual([])
})

test('without room in the folder for temporary files, the hint is one that a drill can follow', async () => {
  const programs = path.join(folder, 'programs')
  mkdirSync(programs)
  writeFileSync(path.join(programs, 'df'), '#!/bin/sh\necho header; echo none 9 8 1 90% /\n', { mode: 0o755 })
  const { result, problems } = await new Volumes(folder, { PATH: `${programs}:${process.env.PATH}` }).verify({ level: 'drill' })
  expect([result, ...problems]).toEqual(['could not verify', expect.stringMatching(/has 1\.02 kB free, the restore needs about .*\. Make room there, or point TMPDIR /)])
  expect(problems.join()).not.toContain('paths')
})

test('an ordinary user finds modes equal that do not let him read, and can remove what was restored', async () => {
  const files = path.join(folder, 'closed')
  mkdirSync(path.join(files, 'folder/in it'), { recursive: true })
  writeFileSync(path.join(files, 'folder/in it/file'), 'secret')
  linkSync(path.join(files, 'folder/in it/file'), path.join(files, 'also'))
  for (const name of ['folder/in it/file', 'folder/in it', 'folder']) chmodSync(path.join(files, name), 0)
  mkdirSync(path.join(folder, 'other store'))
  const volumes = new Volumes(path.join(folder, 'other store'))
  await volumes.backup({ volumes: `files=${files}` })
  const user = jest.spyOn(process, 'getuid').mockReturnValue(1000)
  try {
    expect(await volumes.verify({ level: 'drill' })).toMatchObject({ result: 'verified', problems: [], sources: [{ drill: { entries: 5 } }] })
  } finally {
    user.mockRestore()
  }
})

test('a command of the user looks at the restored volume, without the secrets of the job', async () => {
  const volumes = new Volumes(folder, { GITHUB_TOKEN: 'secret1' })
  const check = (command: string) => volumes.verify({ level: 'drill', 'assert-command': command })
  expect(await check('test "$(cat deep/er/page.html)" = hello && test "$LIFEBOAT_SOURCE" = files && ! env | grep secret1')).toMatchObject({
    result: 'verified', sources: [{ drill: { assertions: 1 } }],
  })
  expect(await check('echo no index >&2; exit 9')).toMatchObject({
    result: 'failed', unmet: 'all else verified', problems: ['assert-command: it ended with exit status 9 on the restored files: no index'],
  })
  expect((await check('no-such-program')).result).toBe('could not verify')
  const { problems: [long] } = await check('seq 1000 1999; exit 1')
  expect(long).toMatch(/: … \d{4}\n[^]*\n1998\n1999$/)
  expect((await check('test "$(env | cut -d= -f1 | grep -v "^_$\\|^PWD$" | sort | tr "\\n" " ")" = "LC_ALL LIFEBOAT_SOURCE PATH "')).problems).toEqual([])
})

test('a condition about databases is not met by a snapshot without one', async () => {
  expect(await new Volumes(folder).verify({ level: 'drill', 'assert-sql': 'orders exist: SELECT true FROM orders' })).toMatchObject({
    result: 'could not verify', problems: ['assert-sql: the snapshot has no database of which this could be asked'],
  })
})

const CHANGES: readonly [what: string, change: string, problem: RegExp][] = [
  ['a mode', 'chmod 600 deep/er/page.html', /^(?:deep\/er\/page\.html|again) has another mode after the restore/],
  // Only root can restore owners.
  ...(process.getuid?.() === 0 ? [['an owner', 'chown 12:13 deep/er/page.html', /has another owner after the restore/] satisfies [string, string, RegExp]] : []),
  ['a time', 'touch deep/er/page.html', /has another time after the restore/],
  ['a size', 'truncate -s 2 empty', /^empty has another size, another time after the restore/],
  ['content, with the same size and time', 'touch -r link ../keep; touch -r deep/er/page.html ../keep; printf HELLO > deep/er/page.html; touch -r ../keep deep/er/page.html', /Contents differ after the restore/],
  ['a link', 'ln -sfn elsewhere link', /^link has another target/],
  ['a hard link', 'cp -p again copy; mv copy again', /has another kind/],
  ['a missing file', 'rm pipe', /^pipe is missing after the restore/],
  ['another file', 'mkdir more', /^more is not in the backup/],
]

test.each(CHANGES)('a restore that changes %s is found', async (_, change, problem) => {
  // A tar that does something else once it has extracted everything.
  const bin = mkdtempSync(path.join(folder, 'bin-'))
  const real = execFileSync('sh', ['-c', 'command -v tar']).toString().trim()
  const script = `#!/bin/sh\ncase " $* " in *" --extract "*) ${real} "$@" || exit; touch -r deep ../deep.time; ${change}; exit 0 ;; esac\nexec ${real} "$@"\n`
  writeFileSync(path.join(bin, 'tar'), script, { mode: 0o755 })
  const result = await new Volumes(folder, { PATH: `${bin}:${process.env['PATH']}` }).verify({ level: 'drill' })
  expect(result.result).toBe('failed')
  expect(result.problems).toContainEqual(expect.stringMatching(problem))
})

test('the drill of one of two volumes fails: the snapshot is called whole only if the other could be read', async () => {
  const own = path.join(folder, 'two')
  for (const name of ['changed', 'other', 'bin', 'store']) mkdirSync(path.join(own, name), { recursive: true })
  for (const name of ['changed', 'other']) writeFileSync(path.join(own, name, name), name)
  await new Volumes(own).backup({ volumes: `changed=${own}/changed\nother=${own}/other` })
  const real = execFileSync('sh', ['-c', 'command -v tar']).toString().trim()
  const drill = (other: string) => {
    const script = `case " $* " in *" --extract "*) ${real} "$@" || exit; ! test -f changed || rm changed; ! test -f other || ${other}; exit 0 ;; esac`
    writeFileSync(path.join(own, 'bin/tar'), `#!/bin/sh\n${script}\nexec ${real} "$@"\n`, { mode: 0o755 })
    return new Volumes(own, { PATH: `${own}/bin:${process.env['PATH']}` }).verify({ level: 'drill' })
  }
  expect(await drill('true')).toMatchObject({ result: 'failed', failedDrill: true, sources: [{ failedDrill: true }, { result: 'verified' }] })
  const result = await drill('{ echo tar: no room >&2; exit 2; }')
  expect(result).toMatchObject({ result: 'failed', sources: [{ failedDrill: true }, { result: 'could not verify' }] })
  expect(result).not.toHaveProperty('failedDrill')
})
