import { LifeboatError } from '../../error.ts'
import type { Ask, Environment } from '../../environment.ts'
import { parseInput } from '../../inputs/parse.ts'
import { secretsOf } from '../../inputs/secrets.ts'
import { marked } from '../../marks.ts'
import { questions } from './inputs.ts'

type Name = keyof typeof questions

/** Attempts at one question. */
const ATTEMPTS = 3

/** Asks for what is not given. Without a terminal it collects what is missing, so that all of it is told at once. */
export class Questions {
  readonly #environment: Pick<Environment, 'ask' | 'report' | 'signal'>
  readonly #missing: string[] = []

  constructor(environment: Pick<Environment, 'ask' | 'report' | 'signal'>) {
    this.#environment = environment
  }

  /** Whether somebody is there to answer. */
  get answered(): boolean {
    return this.#environment.ask !== undefined
  }

  /** An answer without a check. */
  async line(...given: Parameters<Ask>): Promise<string> {
    const answer = (await this.#environment.ask?.(...given)) ?? ''
    this.#environment.signal.throwIfAborted()
    return answer.trim()
  }

  async agreed(question: string): Promise<boolean> {
    return /^y(?:es)?$/i.test(await this.line(`${this.#shown(question)} [y/N] `))
  }

  /** A question without the secrets that it may quote. */
  #shown(question: string): string {
    return this.#environment.report.redacted?.(question) ?? question
  }

  /** Nothing can be done without this: told by `requireAll`. */
  miss(what: string): void {
    this.#missing.push(what)
  }

  /**
   * A checked answer to one of the questions. `otherwise`: the value of an empty line; without one, a value is required. `meant`: the value
   * that a line stands for.
   */
  async text(name: Name, question: string, otherwise?: string, meant = (line: string) => line): Promise<string> {
    if (!this.answered) {
      if (otherwise === undefined) this.miss(marked`‹${name}›`)
      return otherwise ?? ''
    }
    const input = questions[name]
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const line = await this.line(this.#shown(question), { hidden: 'secret' in input, several: 'list' in input })
      const answer = line === '' ? otherwise : meant(line)
      if (answer === undefined) continue
      for (const secret of secretsOf(input, answer)) this.#environment.report.mask(secret)
      if (answer === '') return answer
      try {
        parseInput(name, input, answer)
        return answer
      } catch (error) {
        if (!(error instanceof LifeboatError)) throw error
        this.#environment.report.warning(error.message, error.hint)
      }
    }
    throw new LifeboatError(marked`no answer for ‹${name}›`, { hint: 'Nothing was changed. Run it again.', status: 2 })
  }

  /** Throws (status 2) if something is missing that nobody was there to be asked for. */
  requireAll(): void {
    if (this.#missing.length === 0) return
    const list = this.#missing.map((one) => `\n  ${one}`).join('')
    throw new LifeboatError(`${this.answered ? '' : 'there is no terminal to ask at, and '}this is missing:${list}`, {
      hint: `Give all of it${this.answered ? '' : ', or run the command at a terminal'}. Nothing was changed.`,
      status: 2,
    })
  }
}
