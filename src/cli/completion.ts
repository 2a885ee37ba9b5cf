import { commands, inputsOf } from '../commands/all.ts'
import type { Input } from '../inputs/input.ts'
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

/** Options are completed by name; everything else as the shell does it, with names of files. */
function bashScript(switches: Switches): string {
  const options = (command: (typeof commands)[number]): string =>
    [...inputsOf(command).map(([name]) => name), ...Object.keys(switches)].map((name) => `--${name}`).join(' ')
  const seconds = Map.groupBy(pairs, (pair) => pair.split(' ')[0]!)
  return [
    '_lifeboat() {',
    '  local current="${COMP_WORDS[COMP_CWORD]}" words=""',
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
    '  if [ "$COMP_CWORD" = 1 ] || [ "${current#-}" != "$current" ] || [ "${words#-}" = "$words" ]; then',
    '    COMPREPLY=($(compgen -W "$words" -- "$current"))',
    '  fi',
    '}',
    'complete -o default -F _lifeboat lifeboat',
  ].join('\n')
}

function fishScript(switches: Switches): string {
  return [
    `complete -c lifeboat -n __fish_use_subcommand -f -a '${[...firstWords, ...WORDS].join(' ')}'`,
    line('__fish_seen_subcommand_from completion', `-f -a '${SHELLS.join(' ')}'`),
    line('__fish_seen_subcommand_from help', `-f -a '${firstWords.join(' ')}'`),
    ...pairs.map((pair) => line(seen(pair.split(' ')[0]!), `-f -a ${pair.split(' ')[1]!}`)),
    ...commands.flatMap((command) => [
      ...inputsOf(command).map(([name, input]) =>
        line(seen(command), `${fishOption(name, input.short)}${input.flag ? '' : ' -r'} -d '${briefly(input)}'`)),
      ...Object.entries(switches).map(([name, letter]) => line(seen(command), fishOption(name, letter))),
    ]),
  ].join('\n')
}

const line = (condition: string, rest: string): string => `complete -c lifeboat -n '${condition}' ${rest}`

const seen = (command: string): string => command.split(' ').map((word) => `__fish_seen_subcommand_from ${word}`).join('; and ')

const fishOption = (name: string, letter = ''): string => `-l ${name}${letter === '' ? '' : ` -s ${letter}`}`

/** The first sentence of the help of an input, as a word in single quotation marks. */
function briefly({ help }: Input): string {
  return help.split(/[.:;] |\.$/)[0]!.replaceAll(/[\\']/g, (character) => `\\${character}`)
}
