export interface KeyListResult {
  store: string
  /** `opens`: with the passphrase given. */
  keys: { name: string; fingerprint: string; modified: string; opens?: boolean }[]
}

export interface KeyAddResult {
  store: string
  /** Keys of the new objects; none when the passphrase opened the store already. */
  added: string[]
}

export interface KeyRemoveResult {
  store: string
  removed: string[]
  left: string[]
}
