import { sourceSize, type SourceRecord } from '../../repository/snapshot.ts'
import { lost } from '../loss.ts'
import type { Amount, Loss, Sized, SizedSource } from '../source-kind.ts'
import { volumeFacts } from './facts.ts'

/** A volume that lost more than half of its files, or else of its bytes. */
export function volumeLosses(old: SourceRecord, same: SourceRecord): Loss[] {
  const [before, now] = [volumeFacts.safeParse(old.facts).data, volumeFacts.safeParse(same.facts).data]
  if (!before || !now) return lost('bytes', sourceSize(old), sourceSize(same))
  return [...lost('files', before.files, now.files), ...lost('bytes', before.bytes, now.bytes)].slice(0, 1)
}

const counted = volumeFacts.pick({ files: true })

/** Regular files, or objects. */
export function amountOfFiles(facts: unknown): Amount | undefined {
  const { data } = counted.safeParse(facts)
  return data && { count: data.files, noun: 'file' }
}

const sized = volumeFacts.pick({ bytes: true })

export function volumeSizes(source: SizedSource): Sized[] {
  return [{ bytes: sized.safeParse(source.facts).data?.bytes ?? sourceSize(source) }]
}
