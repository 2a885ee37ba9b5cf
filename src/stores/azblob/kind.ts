import type { StoreKind } from '../kind.ts'
import { type AzblobDestination, azblobSecrets, parseAzblob } from './destination.ts'

export const azblobKind: StoreKind<AzblobDestination> = {
  names: ['azblob'],
  help: {
    pattern: 'azblob://ACCOUNT/CONTAINER/PREFIX',
    credentials: [['AZURE_STORAGE_CONNECTION_STRING'], ['AZURE_STORAGE_KEY'], ['AZURE_STORAGE_SAS_TOKEN']],
  },
  parse: parseAzblob,
  secrets: azblobSecrets,
  open: async (destination, { timeout }, environment) => (await import('./store.ts')).openAzblob(destination, { timeout, ...environment }),
}
