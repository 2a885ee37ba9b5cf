import { formatCount } from '../format.ts'
import type { PageFacts } from './facts.ts'
import type { SetHealth } from './health.ts'
import { html, type Markup, type Piece } from './html.ts'
import { moment } from './words.ts'

/** The backups that the policy keeps and lets go, and the next that expires. */
export function retentionPart({ snapshots }: SetHealth, { retention, timeZone }: PageFacts): Markup {
  const expiring = snapshots.flatMap(({ time, expires }) => (expires === undefined ? [] : [{ time, expires }]))
  const next = expiring.toSorted((a, b) => a.expires.localeCompare(b.expires))[0]
  const expiry = next && html`<p>The next that expires: the backup of ${moment(next.time, timeZone)}, on
${moment(next.expires, timeZone)}.</p>`
  const decided = snapshots.flatMap((one) => (one.retention ? [{ time: one.time, ...one.retention }] : []))
  if (decided.length === 0) {
    return html`<h3>Retention</h3><p class="hint">No policy was given, so nothing is said about which backups are kept. With
<code>retention</code> this part shows it.</p>${expiry}`
  }
  const going = decided.filter(({ keep }) => !keep)
  const kept = html`<strong>${decided.length - going.length} of ${formatCount(decided.length, 'backup')}</strong>`
  const gone: Piece = going[0]
    ? html` and lets <strong>${going.length}</strong> go with the next prune, the newest of them of ${moment(going[0].time, timeZone)}.`
    : '; nothing goes now.'
  const rules = [...Map.groupBy(decided.flatMap(({ keep, reasons }) => (keep ? reasons.map(ruleOf) : [])), (rule) => rule)]
  return html`<h3>Retention</h3><p>${retention === undefined ? 'The policy' : html`<code>${retention}</code>`} keeps ${kept}${gone}</p>
<ul class="rules">${rules.map(([rule, { length }]) => html`<li><b>${length}</b> ${rule}</li>`)}${
    going.length > 0 && html`<li class="go"><b>${going.length}</b> to go</li>`}</ul>${expiry}`
}

/** `daily 2026-11-20` counts as `daily`. */
function ruleOf(reason: string): string {
  return /^(?:newest verified|no policy|safety backup|[a-z]+)/.exec(reason)?.[0] ?? 'another rule'
}
