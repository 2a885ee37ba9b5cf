import { webAddress } from './address.ts'
import type { NotificationKind } from './kind.ts'
import { isGood, linesOf, type Notice } from './notice.ts'
import { postJson } from './post.ts'

/** https://discord.com/developers/docs/resources/webhook#execute-webhook */
export const discord: NotificationKind = {
  name: 'discord',
  form: 'discord:URL',
  parse(text) {
    const url = webAddress(text)
    return {
      shown: `discord (${url.host})`,
      send: (notice, sending) => postJson(url, discordMessage(notice), sending),
    }
  },
}

const [GREEN, RED, YELLOW] = [0x2E_A0_43, 0xD1_24_2F, 0xD2_99_22]

/** Nobody is mentioned, and texts from outside are in a block of code, in which nothing has a meaning. */
export function discordMessage(notice: Notice): object {
  const { title, run, time, status } = notice
  const text = linesOf(notice).join('\n').replaceAll('`', "'").slice(0, LONGEST)
  const colour = isGood(notice) ? GREEN : status === 'could not verify' ? YELLOW : RED
  return {
    allowed_mentions: { parse: [] },
    embeds: [{
      title: literal(title), description: `\`\`\`\n${text}\n\`\`\``, color: colour, timestamp: time, ...(run !== undefined && { url: run }),
    }],
  }
}

/** Of the 4096 characters that a description may have: https://discord.com/developers/docs/resources/message#embed-object-embed-limits */
const LONGEST = 4000

/** A title of at most 256 characters, in which the signs of Markdown and of mentions are only signs. */
function literal(title: string): string {
  return title.replaceAll(/[\\`*_~|<>[\]]/g, '\\$&').replaceAll('@', '@\u200B').slice(0, 256)
}
