export interface ForgetResult {
  store: string
  forgotten: { snapshot: string; set: string }[]
  /** The chunk objects that no snapshot needs any more, and their bytes as stored. */
  freed: { objects: number; bytes: number }
  /** How many snapshots the store has left. */
  left: number
}
