import { createHmac, randomUUID } from 'node:crypto'
import { webAddress } from './address.ts'
import type { NotificationKind } from './kind.ts'
import type { Notice } from './notice.ts'
import { post } from './post.ts'

/** JSON to any address (docs/notifications.md has the members), signed if there is a secret. */
export const webhook: NotificationKind = {
  name: 'webhook',
  form: 'webhook:URL',
  parse(text) {
    const url = webAddress(text)
    return {
      shown: `webhook (${url.host})`,
      async send(notice, sending) {
        const body = JSON.stringify(webhookBody(notice))
        const id = idOf(notice)
        await post(url, body, {
          'content-type': 'application/json',
          'lifeboat-delivery': id,
          ...(sending.secret !== undefined && { 'lifeboat-signature-256': signatureOf(body, sending.secret) }),
        }, sending)
      },
    }
  },
}

/** Every attempt to send the same notice has the same id, so that a receiver knows one that it has seen. */
const ids = new WeakMap<Notice, string>()

function idOf(notice: Notice): string {
  const id = ids.get(notice) ?? randomUUID()
  ids.set(notice, id)
  return id
}

/** `null` for what is not known, so that every message has the same members. */
export function webhookBody(notice: Notice): object {
  const unknown = { set: null, snapshot: null, size: null, added: null, verified: null, sets: null, repository: null, run: null }
  return { schema: 1, ...unknown, ...notice }
}

/** As GitHub signs its webhooks: `sha256=` and hex(HMAC-SHA-256(secret, body)). */
export function signatureOf(body: string, secret: string): string {
  return `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`
}
