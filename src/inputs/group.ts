import type { Variables } from '../environment.ts'
import type { Input, Rows, Value, Values } from './input.ts'

/** Inputs about one thing, and the typed slice that functions take of it. Durations are milliseconds. */
export interface Group<Slice> {
  readonly rows: readonly [name: string, input: Input][]
  /** Makes the slice of the checked values of the rows. */
  read(values: Readonly<Record<string, unknown>>): Slice
}

export function group<const R extends Rows, Slice>(rows: R, read: (values: Values<R>) => Slice): Group<Slice> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each value is what the schema of its own row returned
  const own = (values: Readonly<Record<string, unknown>>): Values<R> => Object.fromEntries(
    Object.keys(rows).map((name) => [name, values[name]]),
  ) as Values<R>
  return { rows: Object.entries(rows), read: (values) => read(own(values)) }
}

/** A group of one input: the slice is its value. */
export function one<const I extends Input>(name: string, input: I): Group<Value<I>> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the same
  return { rows: [[name, input]], read: (values) => values[name] as Value<I> }
}

/** The inputs of a command: its groups in the order in which they are shown, and what must hold between them. */
export interface CommandInputs<Slices extends object> {
  readonly groups: { readonly [Name in keyof Slices]: Group<Slices[Name]> }
  /** Throws (status 2) if the groups do not go together. */
  check?(slices: Slices, variables: Variables): void
}

export function commandInputs<Slices extends object>(
  groups: CommandInputs<Slices>['groups'],
  check?: (slices: NoInfer<Slices>, variables: Variables) => void,
): CommandInputs<Slices> {
  return { groups, ...(check && { check }) }
}

/** The slices that a command is run with. */
export type SlicesOf<I> = I extends CommandInputs<infer Slices> ? Slices : never

/** The inputs with their dashed names, in the order in which they are shown. */
export function rowsOf({ groups }: CommandInputs<object>): [name: string, input: Input][] {
  return groupsOf(groups).flatMap(([, { rows }]) => rows)
}

/** The slices of a command out of the checked values of all its rows. */
export function readGroups<Slices extends object>({ groups }: CommandInputs<Slices>, values: Readonly<Record<string, unknown>>): Slices {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each slice is what its own group returned
  return Object.fromEntries(groupsOf(groups).map(([name, group]) => [name, group.read(values)])) as Slices
}

function groupsOf(groups: object): [name: string, group: Group<unknown>][] {
  return Object.entries(groups)
}

/** Of the slices of a command, those of these groups. */
export function slicesIn<Groups extends object, Slices extends { readonly [Name in keyof Groups]: unknown }>(
  groups: Groups, slices: Slices,
): Pick<Slices, keyof Groups> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the names are those of the groups
  return Object.fromEntries(Object.entries(slices).filter(([name]) => Object.hasOwn(groups, name))) as Pick<Slices, keyof Groups>
}

/** The slices of groups whose inputs are not given. None may be required. */
export function defaultsOf<Slices extends object>(groups: CommandInputs<Slices>['groups']): Slices {
  const values = rowsOf({ groups }).map(([name, { schema, default: text }]) => [name, text === undefined ? undefined : schema.parse(text)])
  return readGroups({ groups }, Object.fromEntries(values))
}
