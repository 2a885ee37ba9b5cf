import type { StoreKind } from '../kind.ts'
import { parseRclone, type RcloneDestination, rcloneSecrets } from './destination.ts'

export const rcloneKind: StoreKind<RcloneDestination> = {
  names: ['rclone'],
  help: { pattern: 'rclone:REMOTE:PATH', expected: 'rclone:REMOTE:PATH' },
  parse: parseRclone,
  secrets: rcloneSecrets,
  open: async (destination, { timeout }, { variables, signal }) =>
    new (await import('./store.ts')).RcloneStore(destination, { timeout, variables, signal }),
}
