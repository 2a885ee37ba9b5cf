import { createHash } from 'node:crypto'
import { InvalidValue, LifeboatError } from '../error.ts'
import { bullets, escapeMarkdown, link, withinLimit } from '../report/markdown.ts'
import type { NotificationKind } from './kind.ts'
import { isGood, type Notice } from './notice.ts'

/** An issue in the repository of the run: open for as long as runs fail, closed by the first that succeeds. */
export const issue: NotificationKind = {
  name: 'issue',
  form: 'issue',
  on: ['always'],
  parse(text) {
    if (text !== '') throw new InvalidValue('nothing follows the word issue: it is opened in the repository of the run')
    return {
      shown: 'issue',
      async send(notice, { subject, signal, limit, ...of }) {
        const repository = of.repository({ signal, timeout: limit })
        if (!repository) {
          throw new LifeboatError('GITHUB_REPOSITORY or the token is missing', {
            hint: 'In a workflow both are there; elsewhere set GITHUB_REPOSITORY and GITHUB_TOKEN.',
          })
        }
        const marker = markerOf(notice, subject)
        if (isGood(notice)) await repository.closeIssue(marker, issueBody(notice))
        else await repository.openIssue(marker, notice.title, issueBody(notice))
      },
    }
  },
}

/** One issue for each command and its store and set. */
function markerOf({ command }: Notice, subject: string): string {
  return `<!-- lifeboat notify ${createHash('sha256').update(`${command}\n${subject}`).digest('hex').slice(0, 16)} -->`
}

export function issueBody(notice: Notice): string {
  const { message, problems, advice, run, time } = notice
  return withinLimit([
    escapeMarkdown(message),
    ...(problems.length > 0 ? [bullets(problems)] : []),
    ...(advice.length > 0 ? ['**What to do:**', bullets(advice)] : []),
    `${time}${run === undefined ? '' : `, by ${link('this run', run)}`}.` +
      (isGood(notice) ? '' : ' This issue is closed when a run succeeds.'),
  ])
}
