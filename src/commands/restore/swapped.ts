import type { Swapped } from '../../sources/restored.ts'

/** How long nobody could connect, in a sentence. */
export function pauseText({ pause }: Pick<Swapped, 'pause'>): string {
  return pause === undefined
    ? 'The databases were exchanged.'
    : `The databases were exchanged; new connections waited for ${pause.toLocaleString('en-US')} ms.`
}
