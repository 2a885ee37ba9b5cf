import type { Level } from '../../repository/levels.ts'
import type { ProofDetails } from '../../repository/proofs.ts'
import type { VolumeFacts } from '../../sources/files/facts.ts'
import type { PostgresFacts } from '../../sources/postgres/facts.ts'
import type { Remarks } from '../../sources/remarks.ts'
import type { ListedSnapshot } from '../list/result.ts'
import type { VerifyResult } from '../verify/result.ts'

export interface ShowResult extends Omit<ListedSnapshot, 'proofs' | 'sources' | 'run' | 'retention'> {
  store: string
  /** When this was, from which ages count. */
  listed: string
  /** Of the chunk objects it needs: those this backup put, and those stored as differences. */
  newChunks: number
  deltaChunks: number
  /** How many age recipients it is sealed to. */
  recipients: number
  /** Newest first. What is sealed in them is there with a key that can decrypt. */
  proofs: ({ level: Level; result: VerifyResult['result']; time: string; seconds: number; bytes: number; damaged: string[] } & Partial<ProofDetails>)[]
  /** The rest is known only with a key that can decrypt. */
  run?: { repository: string; workflow: string; id: string; attempt: string; url: string } | null
  /** The version of the program that made it. */
  lifeboat?: string
  sources?: ShownSource[]
}

export interface ShownSource extends Remarks {
  name: string
  kind: string
  size: number
  streams: { name: string; format: string; size: number; sha256: string; chunks: number }[]
  /** Of a database; `entries` counts those of the archive. */
  database?: Omit<PostgresFacts, 'entries'> & { entries: number }
  /** Of a volume. */
  volume?: Omit<VolumeFacts, 'segments'>
  /** Of a volume, when they are asked for. */
  files?: ShownFile[]
}

export interface ShownFile {
  path: string
  /** As in a list of files: `f` file, `d` directory, `l` symbolic link, `p` pipe, `h` hard link. */
  type: string
  size: number
  /** Seconds since 1970, with decimals. */
  mtime: string
  /** Of a link. */
  target?: string
  /** Of an object in a bucket. */
  etag?: string
}
