import { spawn } from 'node:child_process'
import path from 'node:path'
import { commandIn } from '../../src/commands/all.ts'
import { builtProgram, keepingCompiled } from '../end-to-end/built.ts'
import { requireDocumented } from './documented.ts'

export interface Ended {
  status: number | null
  out: string
  err: string
}

export interface RunOptions {
  /** For standard input. */
  input?: string | undefined
  during?: ((kill: (signal: NodeJS.Signals) => void) => Promise<void>) | undefined
  /** The folder it is started in. */
  folder?: string | undefined
  /** Options of Node itself. */
  node?: readonly string[]
}

/** Milliseconds after which a program is ended, so that it does not outlive its test. */
const LONGEST = 200_000

/** The entry of the program for terminals, as the sources build it now. */
export const lifeboatEntry = (): string => path.join(builtProgram(), 'cli.js')

/** Runs the program as a person would; only what is given is in its environment. */
export async function runLifeboat(args: readonly string[], variables: Record<string, string | undefined>, { input, during, folder, node = [] }: RunOptions = {}): Promise<Ended> {
  const child = spawn(process.execPath, [...node, lifeboatEntry(), ...args], { cwd: folder, env: { ...keepingCompiled(), ...variables }, stdio: 'pipe', timeout: LONGEST })
  const texts = { out: '', err: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (texts.out += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (texts.err += text))
  child.stdin.on('error', () => undefined) // A program that does not read its input closes it.
  child.stdin.end(input)
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  await during?.((signal) => child.kill(signal))
  const status = await ended
  if (args.includes('--json') && status !== null) requireDocumented(commandIn(args.join(' ')) ?? args[0]!, texts.out)
  return { status, ...texts }
}
