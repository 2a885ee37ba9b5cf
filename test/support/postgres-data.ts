import { spawnSync } from 'node:child_process'
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { z } from 'zod'
import type { Major } from './client-programs.ts'

export type Auth = 'trust' | 'scram'

interface Given {
  major: Major
  /** The folder with initdb and postgres. */
  programs: string
  user: { uid: number; gid: number } | undefined
  /** Must belong to `user`; `data` is made in it. */
  folder: string
  password: string
  auth: Auth
}

const checkout = path.join(import.meta.dirname, '../..')
const templates = path.join(checkout, '.cache/data')

/** Makes the data of a server: a copy of what initdb made once, which takes a quarter of initdb's CPU time, with a password of its own. */
export function makeData(given: Given): void {
  const { folder, programs, user, password, auth } = given
  const data = path.join(folder, 'data')
  const template = templateOf(given)
  if (existsSync(template)) must('cp', ['-a', template, data], {})
  else {
    const args = ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync']
    must(path.join(programs, 'initdb'), args, { ...user, cwd: folder })
    keep(data, template)
  }
  const input = `ALTER ROLE postgres PASSWORD '${verifierOf(password)}'\n`
  must(path.join(programs, 'postgres'), ['--single', '-F', '-D', data, 'postgres'], { ...user, cwd: folder, input })
  const rules = path.join(data, 'pg_hba.conf')
  if (auth === 'scram') writeFileSync(rules, readFileSync(rules, 'utf8').replaceAll(/\btrust$/gm, 'scram-sha-256'))
}

function templateOf({ major, user }: Given): string {
  const { version } = z.object({ version: z.string() }).parse(JSON.parse(readFileSync(path.join(checkout, `node_modules/pg${major}/package.json`), 'utf8')))
  return path.join(templates, `${version}-${user?.uid ?? process.getuid!()}`)
}

function keep(data: string, template: string): void {
  mkdirSync(templates, { recursive: true })
  const work = mkdtempSync(path.join(templates, 'making-'))
  try {
    must('cp', ['-a', data, path.join(work, 'data')], {})
    // Another test file may have made the same meanwhile.
    if (!existsSync(template)) renameSync(path.join(work, 'data'), template)
  } finally {
    rmSync(work, { recursive: true })
  }
}

/** RFC 5803, with one iteration instead of 4,096, for a sixth of a connection's CPU time is spent on them. PostgreSQL takes it for the password itself. */
function verifierOf(password: string): string {
  const salt = randomBytes(16)
  const salted = pbkdf2Sync(password.normalize('NFKC'), salt, 1, 32, 'sha256')
  const keyFor = (use: string): Buffer => createHmac('sha256', salted).update(use).digest()
  const stored = createHash('sha256').update(keyFor('Client Key')).digest('base64')
  return `SCRAM-SHA-256$1:${salt.toString('base64')}$${stored}:${keyFor('Server Key').toString('base64')}`
}

function must(program: string, args: string[], options: { uid?: number; gid?: number; cwd?: string; input?: string }): void {
  const { status, error, stdout, stderr } = spawnSync(program, args, { ...options, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${path.basename(program)} failed: ${error?.message ?? stdout + stderr}`)
}
