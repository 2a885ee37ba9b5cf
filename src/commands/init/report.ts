import { formatBytes, formatColumns, formatSeconds, formatSome } from '../../report/format.ts'
import { marked } from '../../marks.ts'
import type { TextContext } from '../../report/context.ts'
import { restoreInto, restoreVariables, shownRestore } from '../../report/recipe.ts'
import { KEY_SECRET } from './answers.ts'
import type { PlannedChanges } from './changes.ts'
import { isBackupWorkflow } from './first-backup.ts'
import type { InitResult } from './result.ts'

/** Everything that will be done, for the question whether it may be. */
export function planText({ files, toWrite, secrets, makesBackup, answers }: PlannedChanges): string {
  const { repository, destination, movedFrom, plan, there } = answers
  const named = (state: string): string[] => secrets.filter((one) => one.state === state).map(({ name }) => name)
  const differing = files.filter((file) => !toWrite.includes(file) && file.before !== file.after)
  const names = plan.databases.map(({ name }) => name).join(', ')
  return [
    `Databases ${names}, set ${plan.set}, into ${destination.text}, with the workflows of ${repository}:`,
    ...(movedFrom === undefined ? [] : [toWrite.some(isBackupWorkflow)
      ? `  the workflows back up into ${destination.text} from now on; the backups in ${movedFrom} stay there`
      : `  the workflow that is left as it is goes on to back up into ${movedFrom}`]),
    plan.recipients.length === 0
      ? '  your key alone opens the backups: if it is lost, nobody can read them'
      : `  the backups can be opened with your key${plan.recipients.map((one) => `, and with the identity of ${one}`).join('')}`,
    `  the workflows run ${plan.action} on a runner with the label ${plan.runner}`,
    ...toWrite.map(({ path }) => `  write ${path}`),
    ...differing.map(({ path }) => `  leave ${path}, ${marked`which differs as shown (‹force› replaces it)`}`),
    ...named('set').map((name) => (there?.has(name) ? `  replace the secret ${name} with gh` : `  set the secret ${name} with gh`)),
    ...(named('set').includes(KEY_SECRET) && there?.has(KEY_SECRET)
      ? ['    Backups that exist need the key that is there now, and GitHub shows it to nobody.']
      : []),
    ...named('kept').map((name) => `  keep the secret ${name}, which is there already`),
    ...named('to make').map((name) => `  leave the secret ${name} for you to make, if it is not there yet`),
    ...(makesBackup ? ['  make a backup now, unless the set has one, and read every byte of it back'] : []),
  ].join('\n')
}

export function initHeadline({ databases, destination, set }: InitResult): string {
  return `Backups of ${formatSome(databases, 3)} into ${destination}, set ${set}, are set up`
}

export function initText(result: InitResult, context: Pick<TextContext, 'program' | 'width'>): string {
  const { files, secrets, repository, first } = result
  return [
    `${initHeadline(result)}.`,
    formatColumns([
      ...files.map(({ path, state }) => [path, state === 'left' ? 'left as it is, with differences' : state]),
      ...secrets.map(({ name, state }) => [`secret ${name}`, state === 'kept' ? 'there already' : state]),
      ['first backup', firstText(first)],
    ], '  '),
    ['Next:', ...nextSteps(result).map((step, index) => `  ${index + 1}. ${step}`)].join('\n'),
    [
      `To restore into ${restoreInto(result)}, at a terminal:`,
      shownRestore(context, { ...result, snapshot: 'latest' }),
      `It reads ${restoreVariables(result)}. In ${repository}: run the workflow Restore.`,
    ].join('\n'),
  ].join('\n\n')
}

function firstText(first: InitResult['first']): string {
  if (first.state === 'made') {
    const { snapshot, size, stored, seconds } = first
    return `${snapshot}: ${formatBytes(size)}, ${formatBytes(stored)} stored, every byte read back, in ${formatSeconds(seconds)}`
  }
  if (first.state === 'not made') return `not made: ${first.why}`
  return first.state === 'started' ? 'the workflow has been started' : 'there is one already'
}

/** In the order in which they have to be done. */
function nextSteps({ key, uncommitted, secrets, repository, first, runner, destination }: InitResult): string[] {
  const missing = secrets.filter(({ state }) => state === 'to make').map(({ name }) => name)
  const where = `https://github.com/${repository}/settings/secrets/actions`
  return [
    ...(missing.length > 0 ? [`Make these secrets at ${where}, unless they are there: ${missing.join(', ')}.${missing.includes(
      KEY_SECRET,
    ) && key === 'new' ? ' The key is the one that you have just saved.' : ''}`] : []),
    ...(uncommitted
      ? ["git add .github/workflows && git commit -m 'Back up with Lifeboat' && git push"]
      : []),
    ...(runner === 'ubuntu-24.04' ? [] : [`The workflows run on a runner with the label ${runner}, which has to reach ${destination}.`]),
    first.state === 'started'
      ? `gh run watch --repo ${repository}`
      : `Start the workflow once: gh workflow run lifeboat-backup.yml --repo ${repository}, or at https://github.com/${repository}/actions`,
    'Before you need it: the secret RESTORE_DATABASE_URL, of a role that may create databases, for the workflow Restore.',
    'Is your key in a second safe place?',
  ]
}
