import type { Finding } from '../../report/finding.ts'

export interface DoctorResult {
  /** In the order in which they were made: the destination, then each database. */
  checks: Finding[]
}
