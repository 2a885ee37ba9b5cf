import { commands, inputsOf } from '../commands/all.ts'
import type { Input } from '../inputs/input.ts'
import { knownValuesOf } from '../inputs/schemas.ts'
import { LifeboatError } from '../error.ts'

export const SHELLS = ['bash', 'zsh', 'fish'] as const

/** The words that a command begins with beside the names of the commands. */
const WORDS = ['help', 'completion'] as const

/** `switches`: the switches of every command with their letters, '' for none. */
type Switches = Readonly<Record<string, string>>

/** The script that teaches a shell the commands and their options. Throws (status 2) for an unknown shell. */
export function completionScript(shell: string | undefined, switches: Switches): string {
  if (shell === 'bash') return bashScript(switches)
  if (shell === 'zsh') return `autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n${bashScript(switches)}`
  if (shell === 'fish') return fishScript(switches)
  throw new LifeboatError(shell === undefined ? 'completion needs the name of a shell' : 'there is no completion for this shell', {
    hint: `Give ${SHELLS.slice(0, -1).join(', ')} or ${SHELLS.at(-1)!}.`, status: 2,
  })
}

const firstWords = [...new Set(commands.map((command) => command.split(' ')[0]!))]
const pairs = commands.filter((command) => command.includes(' '))

/**
 * Sets and snapshots are found in the store if LIFEBOAT_DESTINATION is a folder, without starting the program. bash expands the words it is
 * given to choose from, so that names from the store are only taken if they have no sign of the shell in them.
 */
const NAMES_IN_BASH = [
  '_lifeboat_names() {',
  '  local store="${LIFEBOAT_DESTINATION#file:}"',
  '  store="${store%%\\?*}/snapshots"',
  `  if [ "$1" = sets ]; then ls "$store" 2>/dev/null | grep -E '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$'`,
  `  else find "$store" -name '*.json.zst' 2>/dev/null | sed -nE 's#^.*/([0-9]{8}T[0-9]{6}Z-[0-9a-f]{8})[.]json[.]zst$#\\1#p'`,
  '  fi',
  '}',
]

const NAMES_IN_FISH = [
  'function __lifeboat_names',
  '  set -q LIFEBOAT_DESTINATION; or return',
  `  set -l store (string replace -r '^file:' '' -- $LIFEBOAT_DESTINATION | string replace -r '[?].*' '')/snapshots`,
  `  if test "$argv[1]" = sets; ls $store 2>/dev/null | string match -r '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$'`,
  `  else; find $store -name '*.json.zst' 2>/dev/null | string replace -rf '^.*/(\\d{8}T\\d{6}Z-[0-9a-f]{8})[.]json[.]zst$' '$1'`,
  '  end',
  'end',
]

/** Options are completed by name, and their values where they are known; everything else with names of files. */
function bashScript(switches: Switches): string {
  const options = (command: (typeof commands)[number]): string =>
    [...inputsOf(command).map(([name]) => name), ...Object.keys(switches)].map((name) => `--${name}`).join(' ')
  const seconds = Map.groupBy(pairs, (pair) => pair.split(' ')[0]!)
  return [
    ...NAMES_IN_BASH,
    '_lifeboat() {',
    '  local current="${COMP_WORDS[COMP_CWORD]}" words="" values="" before=""',
    '  case "$COMP_CWORD:${COMP_WORDS[1]}:${COMP_WORDS[2]}" in',
    `    1:*) words="${[...firstWords, ...WORDS].join(' ')}" ;;`,
    `    2:help:*) words="${firstWords.join(' ')}" ;;`,
    `    2:completion:*) words="${SHELLS.join(' ')}" ;;`,
    ...[...seconds].map(([first, all]) => `    2:${first}:*) words="${all.map((pair) => pair.split(' ')[1]!).join(' ')}" ;;`),
    ...commands.map((command) => {
      const words = command.includes(' ') ? command.replace(' ', ':') : `${command}:*`
      return `    *:${words}) words="${options(command)}" ;;`
    }),
    '  esac',
    '  COMPREPLY=()',
    '  case "${COMP_WORDS[1]}:${COMP_WORDS[COMP_CWORD-1]}" in',
    ...commands.flatMap(valuesInBash),
    '  esac',
    '  if [ -n "$values" ] && [ "${current#-}" = "$current" ]; then',
    '    COMPREPLY=($(compgen -W "$values" -- "${current#"$before"}"))',
    '    COMPREPLY=("${COMPREPLY[@]/#/$before}")',
    '    return',
    '  fi',
    '  if [ "$COMP_CWORD" = 1 ] || [ "${current#-}" != "$current" ] || [ "${words#-}" = "$words" ]; then',
    '    COMPREPLY=($(compgen -W "$words" -- "$current"))',
    '  fi',
    '}',
    'complete -o default -F _lifeboat lifeboat',
  ].join('\n')
}

/** The cases of the values of a command that are known. */
function valuesInBash(command: (typeof commands)[number]): string[] {
  const first = command.split(' ')[0]!
  const options = inputsOf(command).flatMap(([name, input]) => {
    const { short } = input
    const known = valuesOf(input)
    const given = [`--${name}`, ...(short === undefined ? [] : [`-${short}`])].map((option) => `${first}:${option}`)
    return known === undefined ? [] : [`    ${given.join('|')}) ${known} ;;`]
  })
  const places = inputsOf(command).filter(([, { positional }]) => positional).map(([, input]) => valuesOf(input))
  const [known] = places
  if (known === undefined) return options
  // The first place follows the command; if all have the same values, so do the others.
  const where = places.every((one) => one === known) ? `${first}:*` : `${first}:${command.split(' ').at(-1)!}`
  return [...options, `    ${first}:-*) ;;`, `    ${where}) ${known} ;;`]
}

/** Sets the values of an input in bash; undefined where they are not known. */
function valuesOf({ schema }: Input): string | undefined {
  const { words, listOf, names } = knownValuesOf(schema) ?? {}
  if (words) return `values="${words.join(' ')}"`
  if (listOf) return `values="${listOf.join(' ')}" before="\${current%"\${current##*,}"}"`
  return names && `values="$(_lifeboat_names ${names})"`
}

function fishScript(switches: Switches): string {
  return [
    ...NAMES_IN_FISH,
    `complete -c lifeboat -n __fish_use_subcommand -f -a '${[...firstWords, ...WORDS].join(' ')}'`,
    line('__fish_seen_subcommand_from completion', `-f -a '${SHELLS.join(' ')}'`),
    line('__fish_seen_subcommand_from help', `-f -a '${firstWords.join(' ')}'`),
    ...pairs.map((pair) => line(seen(pair.split(' ')[0]!), `-f -a ${pair.split(' ')[1]!}`)),
    ...commands.flatMap((command) => [
      ...inputsOf(command).map(([name, input]) =>
        line(seen(command), `${fishOption(name, input.short)}${wordsInFish(input)} -d '${briefly(input)}'`)),
      ...Object.entries(switches).map(([name, letter]) => line(seen(command), fishOption(name, letter))),
    ]),
  ].join('\n')
}

/** The words after an option, as fish reads them: none, some, or any. */
function wordsInFish(input: Input): string {
  const { words, listOf, names } = knownValuesOf(input.schema) ?? {}
  if (words) return ` -x -a '${words.join(' ')}'`
  if (listOf) return ` -x -a '(__fish_complete_list , "string split , ${listOf.join(',')}")'`
  if (names) return ` -x -a '(__lifeboat_names ${names})'`
  return input.flag ? '' : ' -r'
}

const line = (condition: string, rest: string): string => `complete -c lifeboat -n '${condition}' ${rest}`

const seen = (command: string): string => command.split(' ').map((word) => `__fish_seen_subcommand_from ${word}`).join('; and ')

const fishOption = (name: string, letter = ''): string => `-l ${name}${letter === '' ? '' : ` -s ${letter}`}`

/** The first sentence of the help of an input, as a word in single quotation marks. */
function briefly({ help }: Input): string {
  return help.split(/[.:;] |\.$/)[0]!.replaceAll(/[\\']/g, (character) => `\\${character}`)
}
