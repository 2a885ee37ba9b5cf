import type { Report } from '../../environment.ts'
import type { LifeboatError } from '../../error.ts'
import { marked } from '../../marks.ts'
import type { HiddenSnapshots } from '../store.ts'
import { DamagedArtifact } from './archive.ts'
import type { ServiceArtifact } from './github.ts'

/** So many of them are named. */
const NAMED = 3

/** An artifact whose parts.json claims to be of another key than those given: it may be a good backup, or somebody else's. */
export class OtherKeyArtifact extends DamagedArtifact {
  /** Fingerprint of the key that it claims to be of. */
  readonly claimed: string
  /** Keys of the snapshots in it. */
  readonly snapshots: readonly string[]

  constructor(problem: string, { claimed, given, snapshots }: { claimed: string; given: string; snapshots: string[] }) {
    super(
      `${problem} (${given}), it names the key ${claimed}`,
      undefined,
      marked`Was it made with another key? Then keep it, and give that key as ‹encryption-key› to read it. Otherwise somebody else ` +
        'uploaded it: look at the workflow run that it is of.',
    )
    this.name = 'OtherKeyArtifact'
    this.claimed = claimed
    this.snapshots = snapshots
  }
}

/** Artifacts that count as not there, and what is said of them: one warning for all that were found at a time, and each is named once. */
export class LeftOutArtifacts {
  readonly #report: Pick<Report, 'warning'>
  readonly #told = new Set<number>()
  /** By their ids. */
  readonly #ofOtherKeys = new Map<number, OtherKeyArtifact>()
  #found: { artifact: ServiceArtifact; error: LifeboatError }[] = []

  constructor(report: Pick<Report, 'warning'>) {
    this.#report = report
  }

  add(artifact: ServiceArtifact, error: LifeboatError): void {
    if (error instanceof OtherKeyArtifact) this.#ofOtherKeys.set(artifact.id, error)
    if (!this.#told.has(artifact.id)) this.#found.push({ artifact, error })
    this.#told.add(artifact.id)
  }

  /** The snapshots in those that claim to be of other keys, by set. */
  ofOtherKeys(): HiddenSnapshots[] {
    const others = [...this.#ofOtherKeys.values()].flatMap(({ claimed, snapshots }) => snapshots.map((key) => ({ key, claimed })))
    return [...Map.groupBy(others, ({ key }) => key.split('/')[1]!)].map(([set, found]) => ({
      set,
      snapshots: new Set(found.map(({ key }) => key)).size,
      fingerprints: [...new Set(found.map(({ claimed }) => claimed))],
    }))
  }

  tell(): void {
    const found = this.#found.splice(0)
    const [first] = found
    if (!first) return
    if (found.length === 1) return this.#report.warning(first.error.message, first.error.hint)
    this.#report.warning(
      `${found.length} artifacts count as not there: ${few(
        found.map(({ error }) => error.message.replace(' counts as not there: ', ': ')),
        '; ',
      )}`,
      found.some(({ error }) => error instanceof OtherKeyArtifact)
        ? marked`Were they made with another key? Then keep them, and give that key as ‹encryption-key› to read them. Otherwise somebody ` +
          'else uploaded them: look at the workflow runs that they are of.'
        : marked`Snapshots that need nothing of them are not affected; ‹lifeboat list› shows them. Look at the workflow runs that made ` +
          'them, and delete those that are not yours.',
    )
  }

  /** Those that runs of other repositories' code uploaded. */
  foreign(artifacts: readonly ServiceArtifact[]): void {
    const found = artifacts.filter(({ id }) => !this.#told.has(id))
    if (found.length === 0) return
    for (const { id } of found) this.#told.add(id)
    const names = few(
      found.map(({ name, id }) => `${name} (${id})`),
      ', ',
    )
    this.#report.warning(
      found.length === 1
        ? `artifact ${names} is not looked at: the run of a fork uploaded it`
        : `${found.length} artifacts are not looked at: runs of forks uploaded them: ${names}`,
      'Only runs of the repository itself make backups. Delete them, and look at the pull requests they come from.',
    )
  }
}

function few(texts: readonly string[], separator: string): string {
  const named = texts.slice(0, NAMED)
  return texts.length > NAMED ? `${named.join(separator)}${separator}and ${texts.length - NAMED} more` : named.join(separator)
}
