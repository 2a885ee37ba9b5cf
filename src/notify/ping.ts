import { InvalidValue } from '../error.ts'
import { webAddress } from './address.ts'
import type { NotificationKind, Sending } from './kind.ts'
import { isGood, plainText } from './notice.ts'
import { post } from './post.ts'

/** A watch that raises an alarm when nothing comes: https://healthchecks.io/docs/http_api/. It is told of start, success and failure. */
export const ping: NotificationKind = {
  name: 'ping',
  form: 'ping:URL',
  on: ['always'],
  parse(text) {
    const url = webAddress(text)
    if (/\/(?:start|fail|log|\d{1,3})\/?$/.test(url.pathname)) {
      throw new InvalidValue('the URL ends with a signal; give the URL of the check, to which /start and /fail are added')
    }
    const send = (signal: string, body: string, sending: Sending): Promise<void> =>
      post(withSignal(url, signal), body, { 'content-type': 'text/plain; charset=utf-8' }, sending)
    return {
      shown: `ping (${url.host})`,
      begin: (sending) => send('/start', '', sending),
      send: (notice, sending) => send(isGood(notice) ? '' : '/fail', `${notice.title}\n${plainText(notice)}`, sending),
    }
  },
}

function withSignal(url: URL, signal: string): URL {
  const own = new URL(url)
  own.pathname = url.pathname.replace(/\/$/, '') + signal
  return own
}
