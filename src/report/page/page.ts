import { createHash } from 'node:crypto'
import { VERSION } from '../../version.ts'
import { copiesPart } from './copies.ts'
import type { PageFacts } from './facts.ts'
import { setsIn } from './health.ts'
import { html, name, styleElement } from './html.ts'
import { timeScale } from './scale.ts'
import { setParts, setsTable } from './set-part.ts'
import { STYLE } from './style.ts'
import { timeline } from './timeline.ts'
import { noneMatches, overallLight, verdict } from './verdict.ts'
import { type Light, LIGHT_WORDS, moment, SIGNS } from './words.ts'

/** The beginning of every page: a file that begins otherwise is not overwritten. */
export const BEGINNING = '<!doctype html><html lang="en" data-made-by="lifeboat">'

/** Nothing is loaded, run or sent: the one style sheet is named by its hash, and the sign in the tab is in the page. */
const POLICY = [
  "default-src 'none'", `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`, 'img-src data:',
  "base-uri 'none'", "form-action 'none'",
].join('; ')

/** The report as one HTML page that needs nothing else. Pure. */
export function reportPage(facts: PageFacts): string {
  const { made, timeZone, snapshots, store } = facts
  const sets = setsIn(facts)
  const light = overallLight(facts, sets)
  const shown = sets.flatMap((set) => set.snapshots).toSorted((a, b) => b.time.localeCompare(a.time))
  const page = html`<head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer"><meta name="robots" content="noindex">
<title>Backups: ${noneMatches(facts) ? 'none matches' : sets.length === 0 ? 'none yet' : LIGHT_WORDS[light]}</title>
<link rel="icon" href="${icon(light)}">${styleElement(STYLE)}</head>
<body>${SIGNS}<a class="skip" href="#main">To the report</a>
<header><div class="brand"><svg class="buoy" aria-hidden="true"><use href="#buoy"/></svg>Lifeboat</div>
<p><span class="store">${name(store)}</span> <span>as of ${moment(made, timeZone)}</span></p></header>
<main id="main">${verdict(facts, sets)}
${shown.length > 0 && timeline({ ...facts, snapshots: shown }, sets, timeScale(shown.map(({ time }) => time), made, timeZone))}
${setsTable(facts, sets)}
${setParts(sets, facts)}
${(snapshots.length > 0 || facts.copies.length > 0) && copiesPart(facts)}</main>
<footer><p>Times are in ${timeZone}. “Verified” follows from the signed results of verifications in the store; “complete” means that no
source left something out.</p>
<p>Made by Lifeboat ${VERSION}${facts.neutral && '; names are replaced by neutral ones'}.</p></footer></body></html>`
  return `${BEGINNING}${page.toString()}\n`
}

const COLOURS: Readonly<Record<Light, string>> = { good: '1a7f4b', unknown: '6b7785', attention: 'b26a00', bad: 'c62f2f' }

function icon(light: Light): string {
  const form = { good: 'M7 13l3.5 3.5L17.5 9', unknown: 'M8 12h8', attention: 'M12 7v6M12 17v.5', bad: 'M8 8l8 8M16 8l-8 8' }[light]
  const drawing = html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><circle cx="12" cy="12" r="12"
fill="#${COLOURS[light]}"/><path d="${form}" fill="none" stroke="#fff" stroke-width="2.6" stroke-linecap="round"/></svg>`
  return `data:image/svg+xml,${encodeURIComponent(drawing.toString())}`
}
