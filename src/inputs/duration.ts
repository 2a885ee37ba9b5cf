const MILLISECONDS = new Map([
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
  ['w', 7 * 86_400_000],
  ['y', 365 * 86_400_000],
])

/** Milliseconds of `90s`, `5m`, `30d`; undefined when it is not a whole number and one of the letters of `units`. */
export function parseDuration(text: string, units: string): number | undefined {
  const [, number, unit = ''] = /^(\d{1,6})([a-z])$/.exec(text) ?? []
  const milliseconds = MILLISECONDS.get(unit)
  if (milliseconds === undefined || !units.includes(unit)) return undefined
  return Number(number) * milliseconds
}
