/** Levels of verification, each proving more than the one before it, and what a verification at that level checks. */
const TEXTS = {
  list: 'everything is there and the archive is readable',
  read: 'every byte is read, decrypted and compared',
  drill: 'the backup is restored and compared with what was backed up',
} as const

export type Level = keyof typeof TEXTS

/** From the lowest to the highest. */
export const LEVELS = ['list', 'read', 'drill'] as const satisfies readonly Level[]

/** The levels that need nothing but the store. */
export type ReadLevel = Exclude<Level, 'drill'>

/** `list: everything is there and the archive is readable. read: …`, for help. */
export function levelsText(levels: readonly Level[]): string {
  return levels.map((level) => `${level}: ${TEXTS[level]}.`).join(' ')
}

export function isAtLeast(level: Level, wanted: Level): boolean {
  return LEVELS.indexOf(level) >= LEVELS.indexOf(wanted)
}
