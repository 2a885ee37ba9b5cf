import { commandInputs, type SlicesOf } from '../../inputs/group.ts'

/** The file is an input of every command. */
export const inputs = commandInputs<Record<string, never>>({})

export type ConfigCheckInputs = SlicesOf<typeof inputs>
