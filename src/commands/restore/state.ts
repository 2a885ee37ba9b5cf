import type { Environment, Leaves } from '../../environment.ts'
import { oneLine } from '../../report/format.ts'

/** Passes on the states that a restore leaves, and knows the last of them. */
export class State {
  /** Undefined: nothing was begun. */
  last: string | undefined
  readonly leaves: Leaves

  constructor(leaves: Leaves | undefined) {
    this.leaves = (state, hint) => {
      this.last = state
      leaves?.(state, hint)
    }
  }
}

/** Tells the state that each of several sources is left in, in their order. */
export function eachState(names: readonly string[], { leaves }: Pick<Environment, 'leaves'>): (name: string) => State {
  const states = new Map(names.map((name) => [name, { state: 'not restored', hint: undefined as string | undefined }]))
  return (name) => new State((state, hint) => {
    states.set(name, { state, hint })
    const told = [...states].map(([name, one]) => `\n- ${oneLine(name)}: ${one.state}`).join('')
    const hints = [...new Set([...states.values()].flatMap((one) => one.hint ?? []))]
    leaves?.(`of the sources of the snapshot:${told}`, hints.length > 0 ? hints.join('\n') : undefined)
  })
}
