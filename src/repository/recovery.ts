import { instructions, script } from './recovery/files.ts'

/** What every store carries so that it can be read without Lifeboat (docs/recovery.md); put when the store is made. */
export function recoveryFiles(): { key: string; bytes: Buffer }[] {
  return [
    { key: 'RECOVERY.md', bytes: Buffer.from(instructions) },
    { key: 'recover.sh', bytes: Buffer.from(script) },
  ]
}
