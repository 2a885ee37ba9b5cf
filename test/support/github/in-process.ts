// Takes the place of src/net/http.ts and src/stores/artifact/upload.ts in long runs of models (test/support/in-process.ts): requests are
// answered in this process, each in its turn.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { Answer, Asked, RequestOptions } from '../../../src/net/http.ts'
import type { Uploaded, UploadOptions } from '../../../src/stores/artifact/upload.ts'
import { NameTaken } from '../../../src/stores/artifact/upload.ts'
import type { Upload } from '../../../src/stores/artifact/upload-thread.ts'
import type { Runner } from '../world.ts'
import { type GitHub, SERVICE } from './emulator.ts'
import { storedZip } from './zip.ts'

export { AGAIN, TooLong } from '../../../src/net/http.ts'
export { NameTaken } from '../../../src/stores/artifact/upload.ts'

/** By the host under which a machine knows GitHub: its way there. */
export const ways = new Map<string, { github: GitHub; runner: Pick<Runner, 'turn'> }>()

export async function request(url: URL, { method = 'GET', headers = {}, body = '' }: Asked, { signal, sink }: RequestOptions): Promise<Answer> {
  signal.throwIfAborted()
  const { github, runner } = ways.get(url.host)!
  const operation = method === 'DELETE' ? 'delete' : 'get'
  const { status, headers: given, body: answered } = await runner.turn(operation, `${method} ${url.pathname}${url.search}`, () =>
    github.answer(url, method, headers, body.toString()),
  )
  const answer = { status, headers: new Headers(given), body: answered }
  if (!sink || status < 200 || status >= 300) return answer
  await sink(answered, answer)
  return { ...answer, body: Buffer.alloc(0) }
}

/** In two turns: the name is taken, and the artifact is completed. */
export async function uploadArtifact({ name, root, files, retentionDays }: Upload, { variables, signal }: UploadOptions): Promise<Uploaded> {
  signal.throwIfAborted()
  const service = new URL(variables['ACTIONS_RESULTS_URL']!)
  const token = variables['ACTIONS_RUNTIME_TOKEN']!
  const { github, runner } = ways.get(service.host)!
  const backend = /Actions\.Results:([^:]+)/.exec(Buffer.from(token.split('.')[1]!, 'base64url').toString())![1]!
  const call = async (method: string, asked: object): Promise<{ artifact_id: string }> => {
    const content = JSON.stringify({ workflow_run_backend_id: backend, name, ...asked })
    const { status, body } = await github.answer(new URL(`${service.origin}${SERVICE}${method}`), 'POST', { authorization: `Bearer ${token}` }, content)
    if (status === 409) throw new NameTaken(`this run already has an artifact ${name}`)
    if (status !== 200) throw new Error(`${method} was answered with status ${status}`)
    return JSON.parse(body.toString())
  }
  const expires = new Date(github.now().getTime() + retentionDays * 86_400_000)
  await runner.turn('put', `CreateArtifact ${name}`, () => call('CreateArtifact', { expires_at: expires.toISOString() }))
  const zip = storedZip(files.map((file) => [path.relative(root, file), readFileSync(file)]))
  const digest = `sha256:${createHash('sha256').update(zip).digest('hex')}`
  return runner.turn('put', `FinalizeArtifact ${name}`, async () => {
    await github.complete(backend, name, zip)
    const { artifact_id } = await call('FinalizeArtifact', { size: `${zip.length}`, hash: digest })
    return { id: Number(artifact_id), size: zip.length, digest }
  })
}
