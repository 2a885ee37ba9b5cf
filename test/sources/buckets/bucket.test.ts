import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DeleteObjectCommand, GetObjectCommand, type GetObjectCommandOutput, PutBucketPolicyCommand, PutBucketVersioningCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import * as fc from 'fast-check'
import { BucketSource } from '../../../src/sources/buckets/source.ts'
import { ReadAgain } from '../../../src/sources/source.ts'
import { inParallel } from '../../../src/process/parallel.ts'
import { type BucketAccess, openBucket } from '../../../src/sources/buckets/bucket.ts'
import { keyOfPath, pathOfKey, plainPathOf } from '../../../src/sources/buckets/keys.ts'
import { type VolumeFacts, volumeFacts } from '../../../src/sources/files/facts.ts'
import { decodeFiles, type ListedFile } from '../../../src/sources/files/file-list.ts'
import { TarHeaders } from '../../../src/sources/files/tar-headers.ts'
import { all, noise, sha256 } from '../../support/bytes.ts'
import { type Ceph, startCeph } from '../../support/ceph.ts'
import { startHttpProxy } from '../../support/http-proxy.ts'
import { quiet } from '../../support/quiet.ts'
import { requireSizes } from '../../support/recorded-sizes.ts'
import { clientOf, destinationOf, newBucket } from '../../support/s3-place.ts'
import { Volumes } from '../../support/volume.ts'

describe('keys as paths', () => {
  const part = fc.oneof(fc.string(), fc.constantFrom('', '.', '..', '=', '=-', '=+', '=+a', '-', '%41', '\u0001\n', 'x'.repeat(300), '='.repeat(256), `+${'é'.repeat(200)}`, `${'%'.repeat(255)}\n`))
  const anyKey = fc.array(part, { maxLength: 5 }).map((parts) => parts.join('/')).filter((key) => key.isWellFormed())

  test('every key comes back from its path, whose parts name files', () => {
    fc.assert(
      fc.property(anyKey, fc.boolean(), (key, folder) => {
        const name = pathOfKey(key, () => folder)
        expect(keyOfPath(name)).toBe(key)
        // oxlint-disable-next-line no-control-regex -- what no name may have
        for (const part of name.split('/')) expect(part !== '' && part !== '.' && part !== '..' && part.length <= 255 && !/[\u0000-\u001f]/.test(part)).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })

  test('most keys are their own paths', () => {
    for (const key of ['a', 'photos/2026/a b+c%20.jpg', 'year=2026/x', '@types/node', 'a-b=/..c/.d']) expect(plainPathOf(key)).toBe(key)
    expect(['a//b', 'a/', '../x', '=x', '', 'a\nb'].map(plainPathOf)).toEqual(['a/=/b', 'a/=', '=../x', '==x', '=', '=a%0Ab'])
    expect(pathOfKey('a', () => true)).toBe('a/=-')
  })
})

describe('a bucket of Ceph', () => {
  let ceph: Ceph
  let client: S3Client
  let folder: string
  let volumes: Volumes
  beforeAll(async () => {
    ceph = await startCeph()
    client = clientOf(ceph)
  })
  afterAll(async () => {
    client.destroy()
    await ceph.stop()
  })
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-bucket-'))
    volumes = new Volumes(folder)
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  const place = (bucket: string, { accessKey, secretKey } = ceph as { accessKey: string; secretKey: string }) =>
    `s3://${bucket}?endpoint=${ceph.endpoint}&path-style=true&access-key-id=${accessKey}&secret-access-key=${encodeURIComponent(secretKey)}`
  const put = (bucket: string, key: string, content: string | Buffer, more: object = {}) => client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: content, ...more }))
  const fill = (bucket: string, objects: Record<string, string | Buffer>) => inParallel(Object.entries(objects), 16, ([key, content]) => put(bucket, key, Buffer.from(content)))

  /** All of a bucket: what its objects are and what is known of them. */
  async function contentsOf(bucket: string): Promise<Record<string, unknown>> {
    const listing = opened(bucket)
    const objects = await all(listing.list())
    listing.close()
    return Object.fromEntries(
      await inParallel(objects, 16, async ({ key }) => {
        const { Body, ContentType, CacheControl, ContentEncoding, ContentDisposition, ContentLanguage, ExpiresString, Metadata }: GetObjectCommandOutput = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }))
        return [key, { content: sha256(Buffer.from(await Body!.transformToByteArray())), ContentType, CacheControl, ContentEncoding, ContentDisposition, ContentLanguage, ExpiresString, Metadata }]
      }),
    )
  }

  const odd = ['a', 'a/b', 'a//b', 'a/', '/', '/lead', '../up', 'x/../y', 'x/./y', '.', '..', '=', `long/${'n'.repeat(400)}`, 'tab\there', 'new\nline', 'plus+ space%20', 'ünï/cödé ☃', 'back\\slash', "quo'te\"<&>", 'a-b', 'a.b']

  test('objects come back with their metadata, whatever their keys; the archive is one for tar, and lands in its folder', async () => {
    const [bucket, other] = [await newBucket(ceph), await newBucket(ceph)]
    for (const key of odd) await put(bucket, key, `content of ${key}`)
    await put(bucket, 'with/metadata', 'x', {
      ContentType: 'text/html; charset=utf-8', CacheControl: 'max-age=60', ContentEncoding: 'gzip', ContentDisposition: 'attachment; filename="x.html"', ContentLanguage: 'de', Expires: new Date(1_900_000_000_000), Metadata: { owner: 'someone', 'dashed-name': 'a = b' },
    })
    await put(bucket, 'empty', Buffer.alloc(0))
    await put(bucket, 'large', noise('large', 21 * 2 ** 20 + 1))
    const { sources } = await volumes.backup({ volumes: `media=${place(bucket)}`, verify: 'read' })
    expect(sources).toMatchObject([{ name: 'media', kind: 'bucket' }])

    const restored = await volumes.restore({ volume: 'media', target: place(other) })
    expect(restored).toMatchObject({ entries: odd.length + 3, restored: odd.length + 3, unchanged: 0, deleted: 0, mode: 'empty' })
    expect(restored.target).not.toContain('secret')
    expect(await contentsOf(other)).toEqual(await contentsOf(bucket))

    const out = path.join(folder, 'out')
    mkdirSync(out)
    await volumes.restore({ volume: 'media', target: out })
    const found = execFileSync('find', ['.', '-type', 'f'], { cwd: out, encoding: 'utf8' }).split('\n').filter((line) => /up$|\/a\/|lead$/.test(line)).toSorted()
    expect(found).toEqual(['./=../up', './=/lead', './a/=-', './a/=/=-', './a/=/b', './a/b'])
    expect(readFileSync(path.join(out, 'a/=/=-'), 'utf8')).toBe('content of a/')

    expect(await volumes.verify({ level: 'drill' })).toMatchObject({ result: 'verified', problems: [], sources: [{ drill: { entries: expect.any(Number), assertions: 0 } }] })
  })

  test('unchanged objects cost only the listing; a changed one costs its segment', async () => {
    const bucket = await newBucket(ceph)
    await fill(bucket, Object.fromEntries(Array.from({ length: 400 }, (_, index) => [`part-${index % 7}/object-${index}`, `content ${index}`])))
    await put(bucket, 'big', noise('big', 34_000_000))
    const proxy = await startHttpProxy(Number(new URL(ceph.endpoint).port))
    const raw = { volumes: `media=${place(bucket).replace(ceph.endpoint, `http://127.0.0.1:${proxy.port}`)}` }
    const read = () => proxy.seen.splice(0).map(({ url }) => decodeURIComponent(new URL(url, 'http://host').pathname)).filter((path) => path !== `/${bucket}` && path !== `/${bucket}/`)
    await volumes.backup(raw)
    expect(new Set(read()).size).toBe(401)
    await volumes.backup(raw)
    expect(read()).toEqual([])

    await put(bucket, 'part-3/object-10', 'changed')
    await volumes.backup(raw)
    expect(read()).toContain(`/${bucket}/part-3/object-10`)
    await put(bucket, 'big', noise('bigger', 34_000_001))
    await volumes.backup(raw)
    const pieces = read()
    expect([new Set(pieces), pieces.length]).toEqual([new Set([`/${bucket}/big`]), 9])
    await volumes.backup({ ...raw, rescan: 'true' })
    expect(new Set(read()).size).toBe(401)
    await proxy.close()
    expect(await volumes.verify({ level: 'read' })).toMatchObject({ result: 'verified', problems: [] })
  })

  test('only what differs is put back, and only with delete-extra what is more is deleted', async () => {
    const bucket = await newBucket(ceph)
    await fill(bucket, { same: 'same', changed: 'before', gone: 'gone', 'cache/x': 'not in the backup', 'sub/file': 'x' })
    expect((await volumes.backup({ volumes: `media=${place(bucket)}`, exclude: 'cache/' })).sources).toMatchObject([{ leftOut: ['1 file (17 B) by exclude'] }])
    const before = await contentsOf(bucket)
    await put(bucket, 'changed', 'AFTER!')
    await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: 'gone' }))
    await fill(bucket, { extra: '1', 'sub/extra': '2' })
    const raw = { volume: 'media', target: place(bucket) }
    await expect(volumes.restore(raw)).rejects.toThrow(/is not empty/)
    await expect(volumes.restore({ ...raw, mode: 'clean' })).rejects.toThrow(/mode clean is not for buckets/)

    expect(await volumes.restore({ ...raw, mode: 'overwrite', paths: 'sub/', 'delete-extra': 'true' })).toMatchObject({ entries: 1, unchanged: 1, deleted: 1 })
    expect(Object.keys(await contentsOf(bucket))).toEqual(['cache/x', 'changed', 'extra', 'same', 'sub/file'])
    expect(await volumes.restore({ ...raw, mode: 'overwrite' })).toMatchObject({ entries: 4, unchanged: 2, deleted: 0 })
    expect(await contentsOf(bucket)).toEqual({ ...before, extra: expect.anything() })
    expect(await volumes.restore({ ...raw, mode: 'overwrite', 'delete-extra': 'true' })).toMatchObject({ entries: 4, unchanged: 4, deleted: 1 })
    expect(await contentsOf(bucket)).toEqual(before)

    await put(bucket, 'same', 'same', { Metadata: { another: 'header' } })
    expect(await volumes.restore({ ...raw, mode: 'overwrite' })).toMatchObject({ unchanged: 4 })
    expect(await volumes.restore({ ...raw, mode: 'overwrite', rewrite: 'true' })).toMatchObject({ unchanged: 0 })
    expect(await contentsOf(bucket)).toEqual(before)
  })

  test('a backup without objects deletes nothing', async () => {
    const [empty, bucket] = [await newBucket(ceph), await newBucket(ceph)]
    await put(bucket, 'precious', 'x')
    await volumes.backup({ volumes: `media=${place(empty)}` })
    await expect(volumes.restore({ volume: 'media', target: place(bucket), mode: 'overwrite', 'delete-extra': 'true' })).rejects.toThrow(/has no objects in this snapshot/)
    expect(Object.keys(await contentsOf(bucket))).toEqual(['precious'])
  })

  test('objects that change or vanish after the listing are read as they are then, or left out and told', async () => {
    const bucket = await newBucket(ceph)
    await fill(bucket, { a: 'first', gone: 'x', z: 'last', large: noise('1', 20_000_000) })
    let rounds = 0
    const read = await readBucket(bucket, async () => {
      if (rounds++ > 0) return
      await put(bucket, 'a', 'second, longer')
      await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: 'gone' }))
      await put(bucket, 'large', noise('2', 20_000_001))
    })
    expect(read).toMatchObject({ again: 1, facts: { changed: ['gone'], files: 3, bytes: 20_000_001 + 14 + 4 } })
    const out = extracted(read.archive)
    expect([readFileSync(path.join(out, 'a'), 'utf8'), sha256(readFileSync(path.join(out, 'large'))), existsSync(path.join(out, 'gone'))]).toEqual(['second, longer', sha256(noise('2', 20_000_001)), false])
    expect(read.facts.segments.every(({ digest }) => digest === '')).toBe(true)

    // One that is never the same for as long as it takes to read.
    const always = await readBucket(bucket, () => put(bucket, 'large', noise(`${rounds++}`, 20_000_000 + rounds)))
    expect(always).toMatchObject({ again: 2, facts: { changed: ['large'], files: 2 } })
    expect(always.list.map(({ path }) => path)).toEqual(['', 'a', 'z'])
    expect(readdirSync(extracted(always.archive)).toSorted()).toEqual(['a', 'z'])
  })

  test('objects that may not be read fail the backup, or are left out with a word and never deleted', async () => {
    const [bucket, reader] = [await newBucket(ceph), ceph.user('reader')]
    await fill(bucket, { open: 'x', 'closed/secret': 'y' })
    const allow = (actions: string[], resource: string) => ({ Effect: 'Allow', Principal: { AWS: ['arn:aws:iam:::user/reader'] }, Action: actions, Resource: [`arn:aws:s3:::${bucket}${resource}`] })
    const policy = (...statements: object[]) => client.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy: JSON.stringify({ Version: '2012-10-17', Statement: statements }) }))
    const raw = { volumes: `media=${place(bucket, reader)}` }
    await expect(volumes.backup(raw)).rejects.toMatchObject({ message: expect.stringMatching(/cannot list s3:.*AccessDenied/), hint: expect.stringContaining('s3:ListBucket') })
    await policy(allow(['s3:ListBucket'], ''), allow(['s3:GetObject'], '/open'))
    await expect(volumes.backup(raw)).rejects.toMatchObject({ message: expect.stringMatching(/has an object that could not be read: "closed\/secret"/), hint: expect.stringContaining('s3:GetObject') })
    await volumes.backup({ ...raw, 'on-unreadable': 'warn' })
    expect(volumes.warnings.join()).toMatch(/not in this backup, as they could not be read: closed\/secret/)
    expect(await volumes.restore({ volume: 'media', target: place(bucket), mode: 'overwrite', 'delete-extra': 'true' })).toMatchObject({ deleted: 0, unchanged: 1 })
    await expect(volumes.restore({ volume: 'media', target: place(bucket, reader), mode: 'overwrite', rewrite: 'true', 'safety-backup': 'false' })).rejects.toMatchObject({ message: expect.stringMatching(/cannot put open into s3:/) })
    expect(volumes.warnings.at(-1)).toMatch(/is partly restored/)
  })

  test('of a bucket with versions, the one that was read is recorded', async () => {
    const bucket = await newBucket(ceph)
    await client.send(new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration: { Status: 'Enabled' } }))
    await put(bucket, 'a', 'before')
    const { VersionId, ETag } = await put(bucket, 'a', 'now')
    const { archive } = await readBucket(bucket, async () => undefined)
    const found: unknown[] = []
    new TarHeaders(({ name }, _, attributes) => found.push([name, attributes.get('LIFEBOAT.version'), attributes.get('LIFEBOAT.etag')])).push(archive)
    expect(VersionId).toMatch(/./)
    expect(found.at(-1)).toEqual(['./a', VersionId, ETag!.replaceAll('"', '')])
  })

  test('contradictory inputs are refused', async () => {
    const bucket = await newBucket(ceph)
    await expect(volumes.backup({ volumes: `media=${place(bucket)}`, destination: place(bucket).replace('?', '/backups?') })).rejects.toThrow(/the volume media and the store .* overlap/)
    await expect(volumes.restore({ volume: 'media', target: place(bucket), destination: place(bucket).replace('?', '/backups?'), 'delete-extra': 'true', mode: 'overwrite' })).rejects.toThrow(/the target .* and the store .* overlap/)
    mkdirSync(path.join(folder, 'files'))
    await volumes.backup({ volumes: `files=${folder}/files` })
    await expect(volumes.restore({ volume: 'files', target: place(bucket) })).rejects.toThrow(/is not that of a bucket/)
    await expect(volumes.restore({ volume: 'files', target: path.join(folder, 'out'), 'delete-extra': 'true' })).rejects.toThrow(/delete-extra is for buckets/)
  })

  /** Reads a bucket with the source alone, as the engine does. `during` is told of each piece before the next is asked for. */
  async function readBucket(bucket: string, during: () => Promise<unknown>): Promise<{ archive: Buffer; list: ListedFile[]; again: number; facts: VolumeFacts }> {
    const source = new BucketSource({
      name: 'media', where: 's3', open: async () => opened(bucket), patterns: { include: [], exclude: [] }, onUnreadable: 'fail', rescan: false, signal: new AbortController().signal, report: quiet,
    })
    const archives: Buffer[] = []
    let again = 0
    try {
      await source.open()
      let list: ListedFile[] = []
      for await (const { format, bytes } of source.streams()) {
        if (format === 'tar-list') {
          list = await all(decodeFiles(bytes))
          continue
        }
        const pieces: Buffer[] = []
        try {
          await during()
          for await (const piece of bytes) {
            pieces.push(piece)
          }
          archives.push(...pieces)
        } catch (error) {
          if (!(error instanceof ReadAgain)) throw error
          again++
        }
      }
      const [archive, facts] = [Buffer.concat(archives), volumeFacts.parse(source.facts())]
      if (facts.segments.length === 1) requireSizes(archive, list, facts.segments[0]!.sizes!)
      return { archive, list, again, facts }
    } finally {
      await source.close()
    }
  }

  const opened = (bucket: string): BucketAccess => openBucket(destinationOf(ceph, bucket), { variables: {}, signal: new AbortController().signal, report: quiet, timeout: 30_000 })

  function extracted(archive: Buffer): string {
    const target = mkdtempSync(path.join(folder, 'out-'))
    execFileSync('tar', ['-xi', '--warning=no-unknown-keyword', '-C', target], { input: archive })
    return target
  }
})
