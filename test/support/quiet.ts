import type { Report } from '../../src/environment.ts'

/** Says nothing. */
export const quiet: Report = { info: () => undefined, warning: () => undefined, progress: () => undefined, mask: () => undefined }
