import {
  restoreCommand, restoreInto, restoreStep, restoreVariables, severalSources, type SnapshotContent, verifyCommand, volumesNotShown,
} from '../recipe.ts'
import type { PageFacts } from './facts.ts'
import type { SetHealth } from './health.ts'
import { html, type Markup } from './html.ts'
import { moment } from './words.ts'

/** How to restore the newest good backup of a set, at a terminal and in a workflow; and any other. */
export function restoringPart(
  { good, set, newest }: SetHealth, { destination, timeZone, action, reference, keyed }: PageFacts,
): Markup {
  const snapshot = good ?? (keyed ? undefined : newest)
  if (!snapshot) {
    const all = verifyCommand('lifeboat', { destination, set, snapshot: 'all', databases: [], volumes: [] })
    return html`<h3>How to restore</h3><p class="hint">No backup of this set is verified and complete.
This finds those that can be restored:</p>${recipe('Command that verifies all backups', all)}`
  }
  const { sources = [] } = snapshot
  const names = (databases: boolean): string[] => sources.filter(({ database }) => database === databases).map((one) => one.name)
  const confirm = sources.find(({ database }) => database)?.confirm
  const content: SnapshotContent = {
    destination, set, snapshot: snapshot.id, databases: names(true), volumes: names(false), ...(confirm !== undefined && { confirm }),
  }
  const more = volumesNotShown(content)
  const one = severalSources(content) && html`For one source alone, give its name as <code>database</code> or <code>volume</code> in
place of <code>all</code>. `
  return html`<details class="restoring"><summary>How to restore</summary>
<p>The newest backup${good && ' that is verified and complete'}, of ${moment(snapshot.time, timeZone)}, into ${restoreInto(content)}.
At a terminal, with ${restoreVariables(content)} set:</p>
${recipe('Command that restores the backup', restoreCommand('lifeboat', content, ' \\\n  '))}
<p>As a step of a workflow:</p>
${recipe('Workflow step that restores the backup', restoreStep(action, reference, content))}
<p>To read every byte of it first:</p>
${recipe('Command that verifies the backup', verifyCommand('lifeboat', content))}
${more > 0 && html`<p>The other ${more} volumes need a line each in <code>map</code>.</p>`}
<p class="hint">For another backup, put its id in place of <code>${snapshot.id}</code>, or a time like <code>2026-11-20</code>.
${one}Without Lifeboat: <code>RECOVERY.md</code> in the store says how.</p></details>`
}

function recipe(label: string, text: string): Markup {
  return html`<pre tabindex="0" role="group" aria-label="${label}"><code>${text}</code></pre>`
}
