import * as fc from 'fast-check'
import { LifeboatError } from '../../../src/error.ts'
import { argumentsOfParts, omissionsOf, parseDumpArguments } from '../../../src/sources/postgres/dump-arguments.ts'

test.each([
  ['', []],
  ['  \n ', []],
  ['--no-comments --exclude-table-data=audit.*', ['--no-comments', '--exclude-table-data=audit.*']],
  [`-n public\n-T 'my table' --exclude-table="it's"`, ['-n', 'public', '-T', 'my table', `--exclude-table=it's`]],
  [String.raw`-t my\ table -t "a\"b" -t 'a\b'`, ['-t', 'my table', '-t', 'a"b', '-t', String.raw`a\b`]],
  [`--schema=''`, ['--schema=']],
  ['-Oxn public', ['-Oxn', 'public']],
  ['-ablob -npublic', undefined],
  ['--sch public --role=reader', ['--sch', 'public', '--role=reader']],
  ['-a --schema-only --filter=objects.txt --extra-float-digits 3', ['-a', '--schema-only', '--filter=objects.txt', '--extra-float-digits', '3']],
])('%j', (text, words) => {
  if (words) expect(parseDumpArguments(text)).toEqual(words)
  else expect(() => parseDumpArguments(text)).toThrow('pg_dump has no option -l')
})

test.each([
  '-f x', '-fx', '-Ofx', '--file x', '--file=x', '--fil x', '--fil=x', '--fi', '-F p', '-Fp', '--format=plain', '--for=p', '-j4', '--jobs 4', '--j=4',
  '-Z9', '--compress=9', '--comp 9', '-d other', '-dother', '--dbname=other', '--db other', '-h host', '-hhost', '--host=h', '--ho=h', '-p 1', '--port=1', '--po 1',
  '-U me', '--username=me', '--user me', '-w', '-W', '--password', '--no-password', '--no-p', '-v', '--verbose', '-V', '--version', '--vers', '-?', '--help',
  '--lock-wait-timeout=1', '--lock 1', '-T x -fy', `"-f" x`, `'--file=x'`, String.raw`\-f x`, `-"f" x`,
])('%s is refused, with its reason', (text) => {
  expect(() => parseDumpArguments(text)).toThrow(/^pg-dump-args: .* is not allowed: ./)
})

test.each([
  ['otherdb', '"otherdb" is not an option'],
  ['-n public otherdb', '"otherdb" is not an option'],
  ['-- otherdb', '-- ends the options'],
  ['-', '"-" is not an option'],
  ['-n', '-n needs a value'],
  ['--schema', '--schema needs a value'],
  ['-y', 'pg_dump has no option -y'],
  [`-n "public`, 'a quote or a backslash at its end is not closed: "public'],
  [`-n public\\`, 'a quote or a backslash at its end is not closed'],
])('%s is refused', (text, message) => {
  expect(() => parseDumpArguments(text)).toThrow(message)
})

test('no text, however it is written, gets an output file, a format or another connection past the check', () => {
  const piece = fc.constantFrom('-', '--', 'f', 'F', 'j', 'Z', 'd', 'h', 'O', 'x', 'n', 'fil', 'e', 'host', 'form', 'at', '=', ' ', '"', "'", '\\', 'schema', 'public')
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      let words: string[]
      try {
        words = parseDumpArguments(pieces.join(''))
      } catch (error) {
        expect(error).toBeInstanceOf(LifeboatError)
        return
      }
      expect(optionsOf(words).filter((option) => /^(-[fFjZdhpUwWvV?]|--(f|fi|fil|file|fo|for|form|forma|format|h|ho|hos|host))$/.test(option))).toEqual([])
    }),
    { numRuns: 5000 },
  )
})

test.each([
  ['', []],
  ['--inserts --rows-per-insert 5 --quote-all-identifiers -E UTF8 -bcC --role=reader --no-statistics', []],
  ['--exclude-table-data=audit.* --inserts', ['--exclude-table-data=audit.*']],
  ['-n public --table orders -Ox -sE UTF8', ['-n public', '--table orders', '-Ox', '-sE UTF8']],
  ['--enable-row-security --filter=objects.txt --schema-only --no-policies', ['--enable-row-security', '--filter=objects.txt', '--schema-only', '--no-policies']],
  ['--inser --a-future-option', ['--inser', '--a-future-option']],
])('of %j, what could leave something out is told apart', (text, omissions) => {
  expect(omissionsOf(parseDumpArguments(text))).toEqual(omissions)
})

test.each([
  ['', []],
  ['-bcCO --if-exists --no-owner', []],
  ['--quote-all-identifiers --no-sync', ['--quote-all-identifiers']],
  ['-bOx --no-acl --no-comments --no-privileges --no-security-labels', ['-x', '--no-acl', '--no-comments', '--no-privileges', '--no-security-labels']],
  ['-O -T orders --exclude-table-data a* -x --exclude-table-and-children=b -Tc', ['-T', 'orders', '--exclude-table-data', 'a*', '-x', '--exclude-table-and-children=b', '-Tc']],
  ...['-t orders', '-n public', '-OT orders', '-N audit', '-a', '-s', '-Os', '--section=data', '--snapshot=1', '--inserts', '--exclude-table-dat=a', '-E UTF8',
    '--load-via-partition-root', '--enable-row-security', '--serializable-deferrable', '--role=reader', '--filter=f', '--no-comm', '--extra-float-digits=1',
    '--sync-method fsync', '--a-future-option'].map((text): [string, undefined] => [text, undefined]),
])('with %j several archives are made, or only one', (text, words) => {
  expect(argumentsOfParts(parseDumpArguments(text))).toEqual(words)
})

/** The options of the words, as getopt takes them apart; only of those spellings the pieces can make. */
function optionsOf(words: string[]): string[] {
  const options: string[] = []
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!
    if (word.startsWith('--')) {
      options.push(word.split('=')[0]!)
      if (!word.includes('=') && /^--(s|sc|sch|sche|schem|schema|e|f)/.test(word)) at++
      continue
    }
    for (let letter = 1; letter < word.length; letter++) {
      options.push(`-${word[letter]!}`)
      if (!'dhneEFfjNpStTUZ'.includes(word[letter]!)) continue
      if (letter === word.length - 1) at++
      break
    }
  }
  return options
}
