import { formatCount, formatSome } from '../../report/format.ts'
import type { OtherKeySnapshots } from '../../repository/known.ts'

/** More fingerprints than anyone compares. */
const MOST = 3

/** `5 snapshots of set default were made with another key (1cb4…)`. */
export function otherKeyText({ snapshots, atLeast, fingerprints }: OtherKeySnapshots, set: string): string {
  return `${atLeast ? 'at least ' : ''}${formatCount(snapshots, 'snapshot')} of set ${set} ${snapshots === 1 ? 'was' : 'were'} made with ` +
    `another key (${formatSome(fingerprints, MOST)})`
}
