/**
 * The official images by digest, each of all its platforms: the same image for everyone, whatever its tag says later. `npm run images` asks
 * the registry for the present ones and writes them here and into the workflows.
 */
// Of 2026-09-19, from docker-library/repo-info, commit 0b63eeca, where the makers of the images record them.
const PINNED: Readonly<Record<number, string>> = {
  14: 'postgres:14@sha256:816cf7d06ec33116c8f54cf14197085be89f25291686229485ee7d53a785b901',
  15: 'postgres:15@sha256:dfbbb0ad8cab91d41e99123664e37a9b25d0413426d4fb3154e4d668e5d35246',
  16: 'postgres:16@sha256:a3b7f434b2dc57ce85a67e171163eb8ab1a1ebcb39d27484661f26b1dfbe30d6',
  17: 'postgres:17@sha256:f4c66b820c6f974249089d3d16d86a3698eae11e8746eb6644b2271031e91232',
  18: 'postgres:18@sha256:86c951e05bf56c93d95d397747fb8820ac76cc3bedb78f43abd83eedbe3666ae',
}

export const NEWEST_PINNED = Math.max(...Object.keys(PINNED).map(Number))

/** The official image of a major. Of one without a digest here, such as a newer one, by its tag. */
export function officialImage(major: number): string {
  return PINNED[major] ?? officialTag(major)
}

export const officialTag = (major: number): string => `postgres:${major}`
