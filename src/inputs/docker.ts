import { HELPER_IMAGE } from '../sources/volumes/docker.ts'
import type { Input } from './input.ts'
import * as schema from './schemas.ts'

export const dockerImageInput = {
  help: 'The image of the helper container through which Docker volumes are read and written. It has to have GNU tar and GNU find.',
  expected: 'the name of an image',
  example: 'registry.example.com/debian:bookworm-slim',
  schema: schema.image,
  default: HELPER_IMAGE,
} as const satisfies Input
