import { bucket } from './buckets/kind.ts'
import { postgres } from './postgres/kind.ts'
import type { SourceKind } from './source-kind.ts'
import { directory, docker, ssh } from './volumes/kinds.ts'

/** Every kind of source, a line each. */
export const sourceKinds: readonly SourceKind[] = [
  postgres,
  directory,
  docker,
  ssh,
  bucket,
]
