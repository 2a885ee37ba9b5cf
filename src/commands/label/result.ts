/** Of pin, unpin and tag. */
export interface LabelResult {
  snapshot: string
  set: string
  time: string
  pinned: boolean
  /** All it has now. */
  tags: string[]
}
