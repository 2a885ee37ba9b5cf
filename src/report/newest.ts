/** What is known of the newest backup of a set from before a run that failed. */
export type Newest =
  | { set: string; snapshot: string; time: string }
  /** None: the set is empty, or all that were looked at are damaged or of another key. */
  | { set: string; none: 'empty' | 'unsound' }
  /** The store could not be asked. */
  | { set: string; unknown: string }
