import { formatCount } from '../../report/format.ts'
import type { OtherKeySnapshots } from '../../repository/known.ts'

/** More fingerprints than anyone compares. */
const MOST = 3

/** `5 snapshots of set default were made with another key (1cb4…)`. */
export function otherKeyText({ snapshots, atLeast, fingerprints }: OtherKeySnapshots, set: string): string {
  const named = fingerprints.slice(0, MOST).join(', ')
  const more = fingerprints.length > MOST ? ` and ${fingerprints.length - MOST} more` : ''
  return `${atLeast ? 'at least ' : ''}${formatCount(snapshots, 'snapshot')} of set ${set} ${snapshots === 1 ? 'was' : 'were'} made with ` +
    `another key (${named}${more})`
}
