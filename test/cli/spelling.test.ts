import { atTerminal } from '../../src/cli/spelling.ts'
import { marked, spelled } from '../../src/marks.ts'
import { markedText } from '../support/marked.ts'

test.each([
  ['Set ‹disable-triggers: true›, as a superuser', 'Set --disable-triggers, as a superuser'],
  ['or leave the settings out with ‹database-settings: false›.', 'or leave the settings out with --database-settings false.'],
  ['restore into a new database with ‹mode: create›, or replace it with ‹mode: clean›', 'restore into a new database with --mode create, or replace it with --mode clean'],
  ['is whole: give it as ‹snapshot›.', 'is whole: give it as --snapshot.'],
  ['restore with ‹no-owner: true› and ‹no-privileges: true›, or ‹only: data›', 'restore with --no-owner and --no-privileges, or --only data'],
  ['Give ‹set›, a for instance.', 'Give --set, a for instance.'],
  ['Check ‹from›: is it spelled right?', 'Check --from: is it spelled right?'],
  ['Give the key as ‹ssh-key›, or ‹webdav-token›.', 'Give the key as LIFEBOAT_SSH_KEY, or LIFEBOAT_WEBDAV_TOKEN.'],
  ['and 2 more; ‹json› has them all', 'and 2 more; --json has them all'],
])('%s', (hint, shown) => expect(spelled(markedText(hint), atTerminal('lifeboat'))).toBe(shown))

test.each([
  '`ssh-keyscan HOST` prints the host keys; add sslmode=require to the URL',
  'mode, set: it is, database: the name, --force, the input snapshot',
  '‹lifeboat› ‹lifeboat nothing› ‹no-input› ‹› ‹set',
  '‹lifeboat list; no-input: 1›',
])('%s stays as it is', (hint) => expect(spelled(markedText(hint), atTerminal('lifeboat'))).toBe(hint))

test('commands are those of the program that runs, and their values are quoted for a shell', () => {
  expect(spelled(marked`‹lifeboat prune; retention: daily=7 weekly=4; dry-run: true› or ‹lifeboat list›`, atTerminal('node dist/cli.js')))
    .toBe("`node dist/cli.js prune --retention 'daily=7 weekly=4' --dry-run` or `node dist/cli.js list`")
  expect(spelled(marked`‹lifeboat list›, ‹lifeboat prune; destination: file:/b›, ‹lifeboat key new›`, atTerminal('lifeboat', 'file:/the store')))
    .toBe("`lifeboat list --destination 'file:/the store'`, `lifeboat prune --destination file:/b`, `lifeboat key new`")
  expect(spelled(marked`‹lifeboat forget ID›; ‹lifeboat key remove›`, atTerminal('lifeboat'))).toBe('`lifeboat forget ID`; `lifeboat key remove`')
})
