import { inWorkflow } from '../../src/actions/spelling.ts'
import { spelled } from '../../src/marks.ts'
import { markedText } from '../support/marked.ts'

test.each([
  ['‹lifeboat list› shows which; ‹lifeboat verify; level: read› looks for more.', 'The action list shows which; the action verify with `level: read` looks for more.'],
  [
    'See what would go: ‹lifeboat prune; destination: file:/b; set: app; retention: daily=7 weekly=4; grace: 24h; dry-run: true›; with ‹force: true› in place of ‹dry-run: true›, the same deletes it.',
    'See what would go: the action prune with `destination: file:/b`, `set: app`, `retention: daily=7 weekly=4`, `grace: 24h`, `dry-run: true`; with `force: true` in place of `dry-run: true`, the same deletes it.',
  ],
  ['Raise ‹timeout›. ‹set› is another.', 'Raise the input timeout. The input set is another.'],
  ['Give the key as ‹ssh-key›.', 'Give the key as the input ssh-key.'],
  ['and 2 more; ‹json› has them all', 'and 2 more; the output result has them all'],
])('%s', (hint, shown) => expect(spelled(markedText(hint), inWorkflow)).toBe(shown))

test.each([
  ['pin it: ‹lifeboat pin ID›', 'pin it: `lifeboat pin ID` at a terminal'],
  ['‹lifeboat key list› shows them', '`lifeboat key list` at a terminal shows them'],
])('%s is a command of the terminal alone, and says so', (hint, shown) => expect(spelled(markedText(hint), inWorkflow)).toBe(shown))

test.each([
  '`docker ps --all` shows them; `pg_restore --list --set` prints it',
  'Quote a value with spaces: --exclude-table="my table".',
  '‹lifeboat nothing› ‹no-input› ‹› ‹set',
  '‹lifeboat list; no-input: 1›',
])('%s stays as it is', (hint) => expect(spelled(markedText(hint), inWorkflow)).toBe(hint))
