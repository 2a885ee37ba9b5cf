import type { StoreKind } from '../kind.ts'
import { type FileDestination, lossWarning, parseFile } from './destination.ts'
import { disksInMind } from './mount.ts'
import { FileStore } from './store.ts'

export const fileKind: StoreKind<FileDestination> = {
  names: ['file'],
  help: { pattern: 'file:PATH or /PATH, a folder on a disk that outlives the run', expected: 'file: and the path of a folder' },
  parse: parseFile,
  secrets: () => [],
  warning: lossWarning,
  open: ({ path, mounted }, _, { variables }) => new FileStore(path, { mounted, remembered: disksInMind(variables) }),
}
