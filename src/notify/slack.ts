import { webAddress } from './address.ts'
import type { NotificationKind } from './kind.ts'
import { linesOf, type Notice } from './notice.ts'
import { postJson } from './post.ts'

/** Incoming webhooks (https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks); Mattermost and others take them too. */
export const slack: NotificationKind = {
  name: 'slack',
  form: 'slack:URL',
  parse(text) {
    const url = webAddress(text)
    return {
      shown: `slack (${url.host})`,
      send: (notice, sending) => postJson(url, slackMessage(notice), sending),
    }
  },
}

/** All texts from outside are `plain_text`, in which nothing is a mention, a link or an emoji; `text` is for notifications alone. */
export function slackMessage(notice: Notice): object {
  const link = notice.run === undefined ? [] : [`<${escaped(notice.run).replaceAll('|', '%7C')}|Open the run>`]
  return {
    text: escaped(notice.title),
    unfurl_links: false,
    unfurl_media: false,
    blocks: [
      { type: 'header', text: plain(notice.title) },
      { type: 'section', text: plain(linesOf(notice).join('\n').slice(0, LONGEST)) },
      ...link.map((text) => ({ type: 'section', text: { type: 'mrkdwn', text } })),
    ],
  }
}

/** Characters of a section (https://docs.slack.dev/reference/block-kit/blocks/section-block). */
const LONGEST = 3000

function plain(text: string): object {
  return { type: 'plain_text', text, emoji: false }
}

/** https://docs.slack.dev/messaging/formatting-message-text#escaping */
function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
