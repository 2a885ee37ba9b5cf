import { inOrder, problemText } from '../../inputs/file/problem.ts'
import { formatColumns, formatCount } from '../../report/format.ts'
import type { ConfigCheckResult } from './result.ts'

export function problemsIn({ path, problems }: ConfigCheckResult): string[] {
  return inOrder(problems).map((problem) => problemText(path, problem))
}

export function configCheckHeadline({ path, inputs, problems, variables }: ConfigCheckResult): string {
  const missing = variables.filter(({ set }) => !set).length
  const found = [
    formatCount(inputs.length, 'input'),
    ...(problems.length > 0 ? [formatCount(inOrder(problems).length, 'problem')] : []),
    ...(missing > 0 ? [`${formatCount(missing, 'variable')} missing`] : []),
  ]
  return `${path}: ${found.join(', ')}`
}

export function configCheckText(result: ConfigCheckResult): string {
  const { inputs, sources, variables, warnings, path } = result
  const rows = [['databases', sources.databases.join(', ')], ['volumes', sources.volumes.join(', ')]]
  return [
    ...section('Inputs', inputs.map((input) => [`line ${input.line}`, input.name, input.value ?? 'secret', takersText(input)])),
    ...section('Sources', rows.filter(([, names]) => names !== '')),
    ...section('Variables', variables.map(({ name, set, lines }) => [name, set ? 'set' : 'missing', `line ${lines.join(', ')}`])),
    ...section('Warnings', inOrder(warnings).map((warning) => [problemText(path, warning)])),
    ...section('Problems', problemsIn(result).map((problem) => [problem])),
    configCheckHeadline(result),
  ].join('\n')
}

/** `all for backup, check, doctor; the first for 17 commands` where only some take several values. */
function takersText({ commands, firstOnly = [] }: ConfigCheckResult['inputs'][number]): string {
  if (firstOnly.length === 0) return forCommands(commands)
  const all = commands.filter((command) => !firstOnly.includes(command))
  return [...(all.length > 0 ? [`all ${forCommands(all)}`] : []), `the first ${forCommands(firstOnly)}`].join('; ')
}

/** Their names, if a line has room for them: the result as JSON has all. */
function forCommands(commands: readonly string[]): string {
  if (commands.length > 5) return `for ${commands.length} commands`
  return commands.length === 0 ? 'for no command' : `for ${commands.join(', ')}`
}

function section(title: string, rows: readonly string[][]): string[] {
  return rows.length === 0 ? [] : [title, formatColumns(rows, '  '), '']
}
