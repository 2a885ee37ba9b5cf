import { spawn } from 'node:child_process'
import { shellWord } from '../../src/report/recipe.ts'
import { until } from './until.ts'

/** A program at a terminal of its own (util-linux's `script`), and a person who reads and types. */
export interface AtTerminal {
  /** Everything that has been shown, with the sequences that control the screen. */
  shown(): string
  /** Waits until the text is shown, after what was waited for before. */
  sees(text: string | RegExp): Promise<void>
  /** Types a line. */
  types(line: string): void
  /** Presses keys: `\u0003` for Ctrl-C. */
  presses(keys: string): void
  readonly ended: Promise<number | null>
}

/** Starts a program with arguments at a terminal that is wide enough for its lines. */
export function atTerminal(command: readonly string[], { folder, variables }: { folder: string; variables: Record<string, string> }): AtTerminal {
  const line = `stty cols 250 rows 60; exec ${command.map(shellWord).join(' ')}`
  const child = spawn('script', ['--quiet', '--return', '--flush', '--command', line, '/dev/null'], {
    cwd: folder, env: { TERM: 'xterm', SHELL: '/bin/sh', ...variables }, stdio: 'pipe', timeout: 200_000,
  })
  let shown = ''
  let read = 0
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (shown += text))
  child.stdin.on('error', () => undefined)
  let ended = false
  const exit = new Promise<number | null>((resolve) => child.on('close', (status) => {
    ended = true
    resolve(status)
  }))
  return {
    shown: () => shown,
    async sees(text) {
      const find = (): { at: number; length: number } | undefined => {
        const rest = shown.slice(read)
        const [found] = typeof text === 'string' ? (rest.includes(text) ? [text] : []) : (text.exec(rest) ?? [])
        return found === undefined ? undefined : { at: rest.indexOf(found), length: found.length }
      }
      await until(async () => ended || find() !== undefined)
      const found = find()
      if (!found) throw new Error(`it ended without showing ${String(text)}:\n${shown}`)
      read += found.at + found.length
    },
    types: (line) => void child.stdin.write(`${line}\r`),
    presses: (keys) => void child.stdin.write(keys),
    ended: exit,
  }
}
