import type { SshAccess } from '../net/ssh/connection.ts'

/** Credentials that are not in the destination. Folders of kinds add their own, each in its kind.ts. */
export interface StoreCredentials {
  /** A token of GitHub. */
  token?: string | undefined
  ssh?: SshAccess | undefined
}

/** How a store is reached and used, apart from its destination. Each kind takes what it needs of it. */
export interface StoreAccess extends StoreCredentials {
  /** The set that is read or written; undefined reads every set. */
  set: string | undefined
  /** Milliseconds that one operation on the store may take with all its attempts. */
  timeout: number
  /** Days that new snapshots are to be kept; undefined for no limit. */
  keptDays?: number | undefined
  /** Whether they are to be gone after these days, in a store whose objects expire. */
  thenGone?: boolean
  /** Bytes on disk that objects may take which wait to be uploaded. */
  stagingLimit?: number | undefined
  /** Milliseconds after which a backup stores everything again, in a store whose objects expire. */
  fullEvery?: number | undefined
}
