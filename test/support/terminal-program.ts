import { spawn } from 'node:child_process'
import path from 'node:path'

/** Runs the program as a person would, from its source; only what is given is in its environment. */
export async function runLifeboat(args: readonly string[], variables: Record<string, string>, temporary: string): Promise<{ status: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, [path.join(import.meta.dirname, '../cli/lifeboat.ts'), ...args], { env: { TMPDIR: temporary, ...variables }, stdio: ['ignore', 'pipe', 'pipe'] })
  const texts = { out: '', err: '' }
  child.stdout.on('data', (bytes: Buffer) => (texts.out += bytes.toString()))
  child.stderr.on('data', (bytes: Buffer) => (texts.err += bytes.toString()))
  const status = await new Promise<number | null>((resolve) => child.on('close', resolve))
  return { status, ...texts }
}
