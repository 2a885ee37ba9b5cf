import { startDaemon, type Daemon } from './daemon.ts'
import type { CephUser } from './ceph.ts'

/** s3rver of npm, with buckets of these names. */
export interface S3rver extends Daemon, CephUser {
  endpoint: string
}

export async function startS3rver(buckets: readonly string[]): Promise<S3rver> {
  const code = `
    import { createRequire } from 'node:module'
    const S3rver = createRequire(process.argv[1])('s3rver')
    await new S3rver({ address: '127.0.0.1', port: Number(process.argv[2]), directory: process.argv[3], silent: true, configureBuckets: process.argv.slice(4).map((name) => ({ name })) }).run()`
  const daemon = await startDaemon('s3rver', (port, folder) => ({ program: process.execPath, args: ['--input-type=module', '-e', code, import.meta.filename, String(port), folder, ...buckets] }))
  return { ...daemon, endpoint: `http://127.0.0.1:${daemon.port}`, accessKey: 'S3RVER', secretKey: 'S3RVER' }
}
