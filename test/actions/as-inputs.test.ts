import { asInputs } from '../../src/actions/as-inputs.ts'

test.each([
  ['`lifeboat list` shows which; `lifeboat verify --level read` looks for more.', '`lifeboat list` shows which; the action verify with `level: read` looks for more.'],
  ['See what would go: `lifeboat prune --destination file:/b --set app --retention \'daily=7 weekly=4\' --grace 24h --dry-run`; with --force in place of --dry-run, the same deletes it.',
    'See what would go: the action prune with `destination: file:/b`, `set: app`, `retention: daily=7 weekly=4`, `grace: 24h`, `dry-run: true`; with the input force in place of the input dry-run, the same deletes it.'],
  ['if they are not needed any more, prune the set once with --force.', 'if they are not needed any more, prune the set once with the input force.'],
])('%s: in a workflow, the inputs', (hint, shown) => expect(asInputs(hint)).toBe(shown))

test.each([
  '`docker ps --all` shows them; `pg_restore --list --set` prints it',
  '`lifeboat forget --force` is a command of the terminal alone',
  'Give the input set, production for instance. `lifeboat list` shows the snapshots of each.',
  'Quote a value with spaces: --exclude-table="my table".',
])('%s stays as it is', (hint) => expect(asInputs(hint)).toBe(hint))
