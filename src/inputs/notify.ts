import { notificationKinds } from '../notify/all.ts'
import { CONDITIONS } from '../notify/kind.ts'
import { parseTargets, targetSecrets, type NotifyTarget } from '../notify/targets.ts'
import { type Group, group } from './group.ts'
import * as schema from './schemas.ts'

export interface NotifyInputs {
  targets: NotifyTarget[]
  /** Signs the messages of webhooks. */
  secret: string | undefined
}

const kinds = notificationKinds.map(({ name }) => name)

/** The people and services that are told how the run ended. */
export const notify: Group<NotifyInputs> = group(
  {
    notify: {
      help:
        `Targets of messages about the end of the run, one per line: ${kinds.slice(0, -1).join(', ')} or ${kinds.at(-1)!}, a colon ` +
        `and the address, and, if need be, the word "on" and conditions: ${CONDITIONS.join(', ')}. ` +
        'Default: failure; for ping and issue: always. A message that cannot be sent is a warning. ' +
        'docs/notifications.md has the addresses.',
      expected: `lines of KIND:ADDRESS, or KIND:ADDRESS on CONDITIONS, which are of ${CONDITIONS.join(', ')}`,
      example: 'ntfy:https://ntfy.example.com/backups on failure, recovered',
      schema: schema.parsing(parseTargets),
      default: '',
      variable: 'LIFEBOAT_NOTIFY',
      secrets: targetSecrets,
      list: true,
    },
    'notify-secret': {
      help: 'Signs the messages to targets of the kind webhook: the header Lifeboat-Signature-256 has the HMAC-SHA-256 of the body.',
      expected: 'a random text',
      example: '${{ secrets.NOTIFY_SECRET }}',
      schema: schema.text,
      secret: true,
      variable: 'LIFEBOAT_NOTIFY_SECRET',
    },
  },
  (values) => ({ targets: values.notify, secret: values['notify-secret'] }),
)
