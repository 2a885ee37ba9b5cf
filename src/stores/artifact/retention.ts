import type { Variables } from '../../environment.ts'

const DAY = 86_400_000
/** Days that GitHub keeps an artifact unless the repository says otherwise. */
const GITHUB_DEFAULT = 90
/** The most days that later backups depend on an artifact by default. */
const MOST_DAYS_REUSED = 14

export interface ArtifactRetention {
  /** Days asked of GitHub for each artifact. */
  artifact: number
  /** Days for which a new snapshot is sure to be whole: it depends only on artifacts that outlive them. */
  snapshot: number
  /** Days that the policy asks for but that artifacts cannot give. */
  short: number
}

/**
 * How long artifacts are asked to live, and for how long snapshots are promised. With M days as the most GitHub grants and R promised, an
 * artifact can be depended on for M - R days after it was made; then its content is uploaded again. So there are about 1 + R / (M - R)
 * whole copies at any time: 1.5 for 30 days of 90, 3 for 60, and a whole one with each backup for 90. Therefore artifacts always ask for M
 * (what is no longer needed can be deleted earlier, and what a day adds is small), and R is at most two thirds of it.
 * `wanted`: days the policy keeps a snapshot, undefined for no limit. `granted`: GITHUB_RETENTION_DAYS, the most this repository allows.
 */
export function artifactRetention(wanted: number | undefined, granted: number = GITHUB_DEFAULT): ArtifactRetention {
  const most = Math.max(1, Math.floor((granted * 2) / 3))
  const snapshot = Math.min(wanted === undefined ? Math.max(1, Math.floor(granted / 3)) : Math.max(1, Math.ceil(wanted)), most)
  return { artifact: granted, snapshot, short: Math.max(0, Math.ceil(wanted ?? 0) - snapshot) }
}

/** Days that the repository's settings allow, as the runner tells (GITHUB_RETENTION_DAYS); GitHub's own default elsewhere. */
export function grantedDays(variables: Variables): number {
  const text = variables['GITHUB_RETENTION_DAYS'] ?? ''
  return /^[1-9]\d{0,3}$/.test(text) ? Number(text) : GITHUB_DEFAULT
}

/**
 * Milliseconds after which a backup stores everything again by default. With one copy for each quarter of the retention, a lost artifact
 * costs a quarter of the snapshots at most, and the space of about five copies.
 */
export function fullEveryBy({ snapshot }: Pick<ArtifactRetention, 'snapshot'>): number {
  return Math.min(snapshot / 4, MOST_DAYS_REUSED) * DAY
}
