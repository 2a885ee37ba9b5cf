import type { Report } from '../../environment.ts'
import { marked } from '../../marks.ts'
import { keyFiles, triedKeyFiles } from '../../repository/key-files.ts'
import { parseEncryptionKey } from '../../repository/keys.ts'
import { unwrapIdentity } from '../../repository/open-keys.ts'
import type { Store } from '../../stores/store.ts'

/** Warns if the key is a passphrase that opens another store, and none of the key files of this one. */
export async function warnIfClosed(store: Store, encryptionKey: string, report: Report): Promise<void> {
  const key = parseEncryptionKey(encryptionKey)
  if (key.kind !== 'passphrase') return
  for (const file of await triedKeyFiles(store, await keyFiles(store)))
    if ((await unwrapIdentity(store, file, key.passphrase)) !== undefined) return
  report.warning(
    `the passphrase opens no key file of ${store.name}: its backups can be read with another passphrase, or the identity, alone`,
    marked`To let this passphrase open it as well: ‹lifeboat key add; destination: ${store.name}›, with a key that opens it now. ` +
      'If it was removed there on purpose, use the one that replaced it.',
  )
}
