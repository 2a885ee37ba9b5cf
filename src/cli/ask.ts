import { createInterface } from 'node:readline'

/** Asks on standard error and reads a line of standard input. Empty if it ends; Ctrl-C interrupts the program. */
export function ask(question: string): Promise<string> {
  return new Promise((resolve) => {
    const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: true })
    lines.on('SIGINT', () => {
      process.kill(process.pid, 'SIGINT')
      lines.close()
    })
    lines.on('close', () => resolve(''))
    lines.question(question, (answer) => {
      resolve(answer)
      lines.close()
    })
  })
}
