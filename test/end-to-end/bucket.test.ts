import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import { startCeph } from '../support/ceph.ts'
import { identity } from '../support/engine.ts'
import { clientOf, newBucket } from '../support/s3-place.ts'
import { builtProgram } from './built.ts'

test('the built program backs up a bucket and puts its objects back', async () => {
  const ceph = await startCeph()
  const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-bucket-'))
  try {
    const [client, from, to] = [clientOf(ceph), await newBucket(ceph), await newBucket(ceph)]
    await client.send(new PutObjectCommand({ Bucket: from, Key: 'a//b', Body: 'content' }))
    client.destroy()
    const env = { PATH: process.env['PATH'], LIFEBOAT_ENCRYPTION_KEY: identity, AWS_ACCESS_KEY_ID: ceph.accessKey, AWS_SECRET_ACCESS_KEY: ceph.secretKey }
    const place = (bucket: string) => `s3://${bucket}?endpoint=${ceph.endpoint}&path-style=true`
    const run = async (...given: string[]): Promise<unknown> => JSON.parse((await promisify(execFile)(process.execPath, [path.join(builtProgram(), 'cli.js'), ...given, '--destination', `file:${folder}/store`, '--json'], { env })).stdout)
    expect(await run('backup', '--volumes', `media=${place(from)}`, '--verify', 'read')).toMatchObject({ verified: 'read' })
    expect(await run('restore', '--volume', 'media', '--target', place(to))).toMatchObject({ entries: 1, unchanged: 0 })
    expect(await run('restore', '--volume', 'media', '--target', place(to), '--mode', 'overwrite', '--confirm', `s3://${to}`)).toMatchObject({ entries: 1, unchanged: 1 })
  } finally {
    await ceph.stop()
    rmSync(folder, { recursive: true })
  }
})
