import type { InputOrigin } from '../../environment.ts'
import type { Finding } from '../../report/finding.ts'

export interface DoctorResult {
  /** In the order in which they were made: each destination, then each database. */
  checks: Finding[]
  /** The inputs that have a value, and where each comes from; no secret is among the values. */
  inputs: InputOrigin[]
}
