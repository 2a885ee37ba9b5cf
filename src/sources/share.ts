/** An amount that a restore takes. */
export interface Share {
  /** For people: `the disk of /srv/app`. */
  what: string
  /** Equal for the same place: a disk, a server. */
  at: string
  measure: 'bytes' | 'connections'
  needed: number
  free: number
}
