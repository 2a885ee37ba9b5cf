import { isDrilled } from '../../repository/drills.ts'
import { formatTime } from '../format.ts'
import type { PageSnapshot } from './facts.ts'
import { html, type Markup } from './html.ts'

/** From the best to the worst. `unknown`: nothing speaks against it, and it could not be checked. */
export const LIGHTS = ['good', 'unknown', 'attention', 'bad'] as const
export type Light = (typeof LIGHTS)[number]

/** The word that stands beside each sign, for those who do not see its colour or its form. */
export const LIGHT_WORDS: Readonly<Record<Light, string>> = {
  good: 'all right', unknown: 'cannot be told', attention: 'needs attention', bad: 'not all right',
}

/** The signs, drawn once in the page; each has a form of its own. */
export const SIGNS = html`<svg width="0" height="0" aria-hidden="true" class="signs"><defs>
<symbol id="good" viewBox="0 0 24 24"><circle cx="12" cy="12" r="11" class="fill"/><path d="M6.8 12.6l3.5 3.4 7-7.6" class="ink"/></symbol>
<symbol id="unknown" viewBox="0 0 24 24"><circle cx="12" cy="12" r="10" class="line"/><path
d="M9.2 9.6a2.9 2.9 0 1 1 4.4 2.5c-1 .6-1.6 1.1-1.6 2.2" class="stroke"/><circle cx="12" cy="17.4" r="1.2" class="dot"/></symbol>
<symbol id="attention" viewBox="0 0 24 24"><path d="M12 1.8 23.4 21.6H.6z" class="fill"/><path d="M12 8.6v6" class="ink"/><circle
cx="12" cy="18.2" r="1.3" class="ink-dot"/></symbol>
<symbol id="bad" viewBox="0 0 24 24"><path d="M7.4 1h9.2L23 7.4v9.2L16.6 23H7.4L1 16.6V7.4z" class="fill"/><path
d="M8 8l8 8M16 8l-8 8" class="ink"/></symbol>
<symbol id="buoy" viewBox="0 0 24 24"><circle cx="12" cy="12" r="7.6" class="ring"/><path
d="M4.4 4.4l3.4 3.4M16.2 16.2l3.4 3.4M19.6 4.4l-3.4 3.4M7.8 16.2l-3.4 3.4" class="bands"/></symbol></defs></svg>`

/** A sign, and its word: beside it, or only for a screen reader, or not where other words say the same. */
export function sign(light: Light, word: 'shown' | 'aside' | 'said' = 'aside'): Markup {
  const drawn = html`<svg class="sign ${light}" aria-hidden="true" focusable="false"><use href="#${light}"/></svg>`
  if (word === 'said') return drawn
  const said = LIGHT_WORDS[light]
  return html`${drawn}${word === 'shown' ? html`<span>${said}</span>` : html`<span class="aside">${said}: </span>`}`
}

/** `2026-11-20 03:00`, in the time zone that the page names once. */
export function moment(time: string, timeZone: string): Markup {
  return html`<time datetime="${time}">${minute(time, timeZone)}</time>`
}

export function minute(time: string, timeZone: string): string {
  return formatTime(time, timeZone).slice(0, 16)
}

export function day(time: string, timeZone: string): string {
  return new Intl.DateTimeFormat('en-GB', { timeZone, day: 'numeric', month: 'long', year: 'numeric' }).format(new Date(time))
}

/** The form and the word of a snapshot on the time line. */
export type SnapshotMark = 'drilled' | 'verified' | 'unverified' | 'partial' | 'failed' | 'damaged'

export const MARKS: readonly { mark: SnapshotMark; word: string }[] = [
  { mark: 'drilled', word: 'restored in a drill' },
  { mark: 'verified', word: 'verified' },
  { mark: 'unverified', word: 'not verified' },
  { mark: 'partial', word: 'in part' },
  { mark: 'failed', word: 'drill failed' },
  { mark: 'damaged', word: 'damaged' },
]

export function markOf({ damage, failedDrill, partial, verified, authentic, proofs }: PageSnapshot): SnapshotMark {
  if (damage !== undefined) return failedDrill ? 'failed' : 'damaged'
  if (partial) return 'partial'
  // Without the key, anyone may have written that it is verified.
  if (!verified || !authentic) return 'unverified'
  return isDrilled(proofs) ? 'drilled' : 'verified'
}
