import { HELPER_IMAGE } from '../sources/volumes/docker.ts'
import type { Input } from './input.ts'
import * as schema from './schemas.ts'

export const dockerImageInput = {
  help: 'The image of the helper container that reads and writes Docker volumes. It must have GNU tar and GNU find.',
  expected: 'the name of an image',
  example: 'registry.example.com/debian:bookworm-slim',
  schema: schema.image,
  default: HELPER_IMAGE,
} as const satisfies Input
