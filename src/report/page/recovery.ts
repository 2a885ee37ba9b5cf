import { formatBytes, formatSeconds } from '../format.ts'
import type { PageFacts, PageSnapshot } from './facts.ts'
import { recoverySeconds, type SetHealth } from './health.ts'
import { html, type Piece } from './html.ts'
import { percent } from './scale.ts'
import { table } from './table.ts'
import { moment, sign } from './words.ts'

/** As many drills are shown; older ones are among all backups. */
const MOST = 8

interface Drill {
  result: PageSnapshot['proofs'][number]['result']
  time: string
  /** Its figures, if it was measured. */
  measured: PageSnapshot['drill']
}

/** The drills of a set, newest first, with the recovery times that were measured. */
export function drillsPart({ snapshots }: SetHealth, { timeZone }: PageFacts): Piece {
  const all = snapshots.flatMap(({ proofs, drill }) => proofs.filter(({ level }) => level === 'drill')
    .map(({ result, time }): Drill => ({ result, time, measured: result === 'verified' ? drill : undefined })))
    .toSorted((a, b) => b.time.localeCompare(a.time))
  if (all.length === 0) {
    return html`<h3>Restore drills</h3><p class="hint">None yet. A drill restores a backup into a scratch server, compares it, and measures
how long a recovery takes: <code>lifeboat verify --level drill</code>.</p>`
  }
  const most = Math.max(1, ...all.map(({ measured }) => recoverySeconds(measured)))
  const legend = all.some(({ measured }) => measured) && html`<span class="legend"><span><span class="swatch dl"></span> download</span>
<span><span class="swatch rs"></span> restore</span></span>`
  const some = all.length > MOST ? `; the newest ${MOST} of ${all.length}` : ''
  const caption = html`Each restored a backup and compared it with its record${some}.${legend}`
  return html`<h3>Restore drills</h3>${table<Drill>({ name: 'drills', label: 'Restore drills', caption }, [
    { head: 'Drill', cell: ({ time }) => moment(time, timeZone) },
    { head: 'Result', kind: 'state', cell: ({ result }) => html`${sign(LIGHTS_OF[result], 'said')}${WORDS[result]}` },
    { head: 'Recovery time', kind: 'n', cell: ({ measured }) => (measured ? formatSeconds(recoverySeconds(measured)) : '–') },
    { head: 'Drawn', kind: 'drawn', cell: ({ measured }) => measured && drawn(measured.seconds, most) },
    { head: 'Compared', kind: 'n', cell: ({ measured }) => measured && formatBytes(measured.bytes) },
  ], all.slice(0, MOST))}`
}

const WORDS = {
  verified: 'equal', failed: 'failed', 'could not verify': 'not finished', 'conditions not met': 'conditions not met',
} as const
const LIGHTS_OF = { verified: 'good', failed: 'bad', 'could not verify': 'unknown', 'conditions not met': 'attention' } as const

function drawn({ download, restore }: { download: number; restore: number }, most: number): Piece {
  const [first, second] = [(download / most) * 100, (restore / most) * 100]
  const label = `${formatSeconds(download)} to download, ${formatSeconds(restore)} to restore`
  return html`<svg class="bar-line" role="img" aria-label="${label}"><rect
x="0" width="${percent(first)}" y="3" height="10" class="download"/><rect
x="${percent(first)}" width="${percent(Math.max(0.5, second))}" y="3" height="10" class="more"/></svg>`
}
