import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { z } from 'zod'
import { InvalidValue } from '../error.ts'
import type { Level } from '../repository/levels.ts'
import { setName, snapshotId } from '../repository/snapshot.ts'
import { UNNAMED } from './database-urls.ts'
import { parsing } from './schemas.ts'

/** A plan as the action verdict gets it: which job makes a backup of which sets. */
export interface Plan {
  id: string
  /** ISO 8601. */
  time: string
  jobs: readonly (readonly string[])[]
}

/** The share of one job: an item of the matrix. */
export interface PartOfPlan {
  /** The id of its plan. */
  plan: string
  databases: readonly (readonly [server: string, name: string])[]
  /** Their names. */
  volumes: readonly string[]
}

/** Of at least one set, and each set once: a verdict about nothing, or about a set twice, would look like one about a backup. */
const planSchema = z.strictObject({
  id: snapshotId,
  time: z.iso.datetime({ precision: 3 }),
  jobs: z.array(z.array(setName).min(1)).min(1).refine((jobs) => new Set(jobs.flat()).size === jobs.flat().length),
})
const name = z.string().min(1)
const partSchema = z.looseObject({
  plan: snapshotId,
  // Without a server: of one that was given without a name.
  databases: z.array(z.union([name.transform((name) => [UNNAMED, name] as const), z.tuple([name, name])])),
  volumes: z.array(name),
})

const PREFIX = 'plan1.'
/** Bytes of a plan as JSON: one of 100,000 sets has 3 MB. */
const LARGEST = 16 * 1024 * 1024

/** As one line of letters and digits, because names compress well, and what an action is given has an upper limit. */
export function encodePlan(plan: Plan): string {
  return `${PREFIX}${deflateRawSync(JSON.stringify(planSchema.parse(plan)), { level: 9 }).toString('base64url')}`
}

export const plan = parsing((text): Plan => {
  const packed = text.trim()
  if (!packed.startsWith(PREFIX)) throw new InvalidValue(`it does not begin with ${PREFIX}`)
  try {
    const bytes = inflateRawSync(Buffer.from(packed.slice(PREFIX.length), 'base64url'), { maxOutputLength: LARGEST })
    return planSchema.parse(JSON.parse(bytes.toString()))
  } catch {
    throw new InvalidValue('the plan is not whole')
  }
})

export const part = parsing((text): PartOfPlan => {
  let given: unknown
  try {
    given = JSON.parse(text)
  } catch {
    throw new InvalidValue('it is not JSON')
  }
  const parsed = partSchema.safeParse(given)
  if (!parsed.success) throw new InvalidValue('it is not an item of the matrix of a plan')
  const { plan, databases, volumes } = parsed.data
  if (databases.length + volumes.length === 0) throw new InvalidValue('there is neither a database nor a volume in it')
  return { plan, databases, volumes }
})

/** No other tag begins with it. */
export const PLAN_TAG = 'plan:'
/** Tags of a snapshot of a part: that of the plan, and that of the level. */
export const TAGS_OF_PART = 2

/** The tag of the snapshots that a run of a plan makes. */
export function planTag(id: string): string {
  return `${PLAN_TAG}${id}`
}

/** The tag of a snapshot that its backup verifies at this level: without a proof of it, that backup did not end. */
export function verifiedTag(level: Level): string {
  return `${PLAN_TAG}verify=${level}`
}
