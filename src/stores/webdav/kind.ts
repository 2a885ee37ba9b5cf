import { secretsOfUrl } from '../../net/url.ts'
import type { StoreKind } from '../kind.ts'
import { parseWebdav, type WebdavDestination } from './destination.ts'

declare module '../access.ts' {
  interface StoreCredentials {
    /** A bearer token for WebDAV. */
    webdavToken?: string | undefined
  }
}

export const webdavKind: StoreKind<WebdavDestination> = {
  names: ['webdav', 'webdavs'],
  help: { pattern: 'webdavs://USER:PASSWORD@HOST/PATH', credentials: [['LIFEBOAT_WEBDAV_TOKEN']] },
  parse: parseWebdav,
  secrets: (text) => secretsOfUrl(text, []),
  open: async (destination, { webdavToken, timeout }, { signal }) =>
    new (await import('./store.ts')).WebdavStore({ ...destination, token: webdavToken, timeout, signal }),
}
