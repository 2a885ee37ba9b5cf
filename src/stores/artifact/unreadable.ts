import { LifeboatError } from '../../error.ts'
import type { ServiceArtifact } from './github.ts'

/** The error of a prune that cannot know what a backup needs. */
export function unreadable({ name, id }: ServiceArtifact, what: string): LifeboatError {
  return new LifeboatError(`artifact ${name} (${id}) ${what}: nothing was deleted, since this backup may need any of it`, {
    hint: 'Run it again. If it stays, GitHub has lost the content of this artifact: delete it on the page of the run that made it.',
  })
}
