import type { Environment } from '../../environment.ts'
import { LifeboatError } from '../../error.ts'
import { newIdentity } from '../../repository/keys.ts'
import type { Questions } from './questions.ts'

/** Characters of the key that have to be typed. */
const TYPED = 6
const ATTEMPTS = 3

/**
 * Makes a key and has it saved: it is shown once, on a screen that vanishes, and its end has to be typed. Throws (status 2) if that is
 * not done; the key is then forgotten, and nothing was sealed with it.
 */
export async function savedKey(questions: Questions, { report }: Pick<Environment, 'report'>): Promise<string> {
  const { identity } = await newIdentity()
  report.mask(identity)
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const typed = await questions.line(keyScreen(identity, attempt > 0), { vanishing: true })
    if (typed.toUpperCase() === identity.slice(-TYPED)) return identity
  }
  throw new LifeboatError('the new key was not confirmed as saved, and was thrown away', {
    hint: 'Nothing was changed. Run the command again with a password manager at hand.',
    status: 2,
  })
}

function keyScreen(identity: string, again: boolean): string {
  return [
    ...(again ? ['That was not the end of the key.', ''] : []),
    'This is your new key. Nobody can read the backups without it, and nobody can give it to you again.',
    'Put this line into your password manager now:',
    '',
    `  ${identity}`,
    '',
    'Ctrl-C ends the program; nothing has been changed yet.',
    '',
    `When it is saved, type its last ${TYPED} characters: `,
  ].join('\n')
}
