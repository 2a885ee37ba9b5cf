import { InvalidValue } from '../error.ts'
import { decodedLogin, webAddress } from './address.ts'
import type { NotificationKind } from './kind.ts'
import { isGood, type Notice, plainText } from './notice.ts'
import { postJson } from './post.ts'

/** https://docs.ntfy.sh/publish/#publish-as-json; a token or a user with a password stands before the host. */
export const ntfy: NotificationKind = {
  name: 'ntfy',
  form: 'ntfy:https://HOST/TOPIC',
  parse(text) {
    const url = webAddress(text, { user: true })
    const [, base = '', topic] = /^(.*\/)([-_A-Za-z0-9]{1,64})$/.exec(url.pathname) ?? []
    if (topic === undefined || url.search) throw new InvalidValue('after the colon is no URL https://HOST/TOPIC with the name of a topic')
    const authorization = authorizationOf(url)
    const server = new URL(base, url.origin)
    return {
      shown: `ntfy (${url.host})`,
      send: (notice, sending) => postJson(server, ntfyMessage(notice, topic), sending, authorization),
    }
  },
}

/** A user and a password, or a token alone, in the place of either. */
function authorizationOf({ username, password }: URL): Record<string, string> {
  if (!username && !password) return {}
  const [user, secret] = [username, password].map((one) => decodedLogin(one))
  if (!user || !secret) return { authorization: `Bearer ${user || secret}` }
  return { authorization: `Basic ${Buffer.from(`${user}:${secret}`).toString('base64')}` }
}

/**
 * Bytes of a message; a longer one becomes an attachment (https://docs.ntfy.sh/publish/#limitations). As JSON, with all members, it may
 * have twice as many: quotation marks take two.
 */
const LONGEST = 3500

/** Without `markdown` the text is shown as it is. */
export function ntfyMessage(notice: Notice, topic: string): object {
  const { title, run } = notice
  const message = Buffer.from(plainText(notice)).subarray(0, LONGEST).toString('utf8').replace(/\uFFFD+$/, '')
  return {
    topic, title, message,
    priority: isGood(notice) ? 3 : 4,
    tags: [isGood(notice) ? 'white_check_mark' : 'warning'],
    ...(run !== undefined && { click: run }),
  }
}
