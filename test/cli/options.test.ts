import { asOptions } from '../../src/cli/options.ts'

test.each([
  ['Set disable-triggers: true, as a superuser', 'Set --disable-triggers, as a superuser'],
  ['or leave the settings out with database-settings: false.', 'or leave the settings out with --database-settings false.'],
  ['restore into a new database with mode create, or replace it with mode clean', 'restore into a new database with --mode create, or replace it with --mode clean'],
  ['is whole: give it as the input snapshot.', 'is whole: give it as --snapshot.'],
  ['restore with no-owner and no-privileges, or only: data', 'restore with --no-owner and --no-privileges, or --only data'],
  ['raise lock-timeout. If not, use --force or --max-delete once, or another prune-min-size.', 'raise --lock-timeout. If not, use --force or --max-delete once, or another --prune-min-size.'],
  ['Give the input set, a for instance.', 'Give --set, a for instance.'],
  ['Check the input from: is it spelled right?', 'Check --from: is it spelled right?'],
  ['a role needs CREATEDB for mode create', 'a role needs CREATEDB for --mode create'],
])('%s', (hint, shown) => expect(asOptions(hint, 'lifeboat')).toBe(shown))

test.each([
  '`ssh-keyscan HOST` prints the host keys; `lifeboat verify --level read` tells',
  'the token needs `permissions: actions: read`; add sslmode=require to the URL',
  'They stay in this mode of the server; only the owner can: mode, set: it is, database: the name',
  'The inputs of list are destination, encryption-key.',
  'postgres://user:password@host:5432/database, /srv/ssh-key, ssh-key=1',
])('%s stays as it is', (hint) => expect(asOptions(hint, 'lifeboat')).toBe(hint))

test('commands are those of the program that runs', () => {
  expect(asOptions('`lifeboat prune --retention last=1` or `lifeboat list`', 'node dist/cli.js')).toBe('`node dist/cli.js prune --retention last=1` or `node dist/cli.js list`')
})
