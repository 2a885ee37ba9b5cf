import { InvalidValue } from '../../error.ts'
import type { Destination } from '../kind.ts'

/** The artifacts of a repository: which one follows from the environment and the token. */
export interface ArtifactDestination extends Destination {
  kind: 'artifact'
}

/** Reads the whole text, with the kind's name. Throws `InvalidValue`. */
export function parseArtifact(text: string): ArtifactDestination {
  if (text === 'artifact') return { kind: 'artifact', text, immutable: true }
  throw new InvalidValue('artifact stands alone: which artifacts they are follows from the repository and the set')
}
