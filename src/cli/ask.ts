import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import type { Ask } from '../environment.ts'
import { inertText } from '../report/inert.ts'

/**
 * The second screen of a terminal, which leaves no lines behind (xterm, "Alternate Screen Buffer"). It is cleared for terminals that have
 * no second one.
 */
const [ENTER, LEAVE] = ['\u001B[?1049h\u001B[H\u001B[J', '\u001B[H\u001B[J\u001B[?1049l']

const VANISHES = 'This is gone from the screen when you go on.'
const STAYS = 'This stays on the screen, which this terminal cannot clear: clear it and its history afterwards.'

/** Lines that a terminal passes on within this time of each other were pasted together; in milliseconds. */
const PASTED = 200

/** Asks on standard error and reads a line of standard input. Empty if it ends; Ctrl-C interrupts the program. */
export const ask: Ask = (question, { hidden = false, vanishing = false, several = false } = {}) => {
  const { stderr } = process
  const screen = vanishing && process.env['TERM'] !== 'dumb'
  // Also if a second Ctrl-C ends the program at once.
  const leave = (): void => void stderr.write(LEAVE)
  if (screen) {
    stderr.write(ENTER)
    process.once('exit', leave)
  }
  return new Promise<string>((resolve) => {
    const silence = new Writable({ write: (_bytes, _encoding, done) => done() })
    const lines = createInterface({ input: process.stdin, output: hidden ? silence : stderr, terminal: true, historySize: 0 })
    // A prompt of several lines would be drawn again with each key.
    const [prompt = '', ...above] = inertText(question).split('\n').toReversed()
    for (const line of above.toReversed()) stderr.write(`${line}\n`)
    if (vanishing) stderr.write(`${screen ? VANISHES : STAYS}\n\n`)
    if (hidden) stderr.write(prompt)
    let interrupted = false
    lines.on('SIGINT', () => {
      interrupted = true
      // The one who asked goes on only when the signal has arrived, and finds that the run is interrupted.
      process.once('SIGINT', () => {
        resolve('')
        lines.close()
      })
      process.kill(process.pid, 'SIGINT')
    })
    const typed: string[] = []
    let waiting: NodeJS.Timeout | undefined
    lines.on('close', () => {
      clearTimeout(waiting)
      if (!interrupted) resolve(typed.join('\n'))
    })
    lines.on('line', (line) => {
      typed.push(line)
      clearTimeout(waiting)
      waiting = setTimeout(() => {
        // The last line may have been pasted without its end.
        if (!several || lines.line === '') lines.close()
      }, several && line !== '' ? PASTED : 0)
    })
    lines.setPrompt(hidden ? '' : prompt)
    lines.prompt()
  }).finally(() => {
    if (screen) {
      leave()
      process.off('exit', leave)
    } else if (hidden) stderr.write('\n')
  })
}
