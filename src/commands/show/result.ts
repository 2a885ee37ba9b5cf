import type { Level } from '../../repository/levels.ts'
import type { Proof, ProofDetails } from '../../repository/proofs.ts'
import type { ShownFile } from '../../sources/files/shown-file.ts'
import type { Confirmed } from '../../sources/nouns.ts'
import type { Details, Remarks } from '../../sources/source-kind.ts'
import type { ListedSnapshot } from '../list/result.ts'

export interface ShownProof extends Partial<ProofDetails> {
  level: Level
  result: Proof['result']
  time: string
  seconds: number
  bytes: number
  damaged: string[]
}

export interface ShowResult extends Omit<ListedSnapshot, 'proofs' | 'sources' | 'run' | 'retention'> {
  store: string
  /** When this was, from which ages count. */
  listed: string
  /** Of the chunk objects it needs: those this backup put, and those stored as differences. */
  newChunks: number
  deltaChunks: number
  /** How many age recipients it is sealed to. */
  recipients: number
  /** Newest first. Their sealed details are present with a key that can decrypt. */
  proofs: ShownProof[]
  /** The rest is known only with a key that can decrypt. */
  run?: { repository: string; workflow: string; id: string; attempt: string; url: string } | null
  /** The version of the program that made it. */
  lifeboat?: string
  sources?: ShownSource[]
}

/** With the members that its kind adds: `database`, `volume`. */
export interface ShownSource extends Confirmed, Remarks, Details {
  name: string
  kind: string
  size: number
  streams: { name: string; format: string; size: number; sum: string; chunks: number }[]
  /** Of a source with a list of files, when they are asked for. */
  files?: ShownFile[]
}
