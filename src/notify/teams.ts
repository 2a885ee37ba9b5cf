import { webAddress } from './address.ts'
import type { NotificationKind } from './kind.ts'
import { isGood, linesOf, type Notice } from './notice.ts'
import { postJson } from './post.ts'

/**
 * The webhook of a workflow of Microsoft Teams ("Post to a channel when a webhook request is received"), which takes an adaptive card:
 * https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
 */
export const teams: NotificationKind = {
  name: 'teams',
  form: 'teams:URL',
  parse(text) {
    const url = webAddress(text)
    return {
      shown: `teams (${url.host})`,
      send: (notice, sending) => postJson(url, teamsMessage(notice), sending),
    }
  },
}

/** Runs of text in a RichTextBlock have no Markdown (https://adaptivecards.io/explorer/TextRun.html). */
export function teamsMessage(notice: Notice): object {
  const { title, run, status } = notice
  const color = isGood(notice) ? 'good' : status === 'could not verify' ? 'warning' : 'attention'
  return {
    type: 'message',
    attachments: [{
      contentType: 'application/vnd.microsoft.card.adaptive',
      contentUrl: null,
      content: {
        $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
        type: 'AdaptiveCard',
        version: '1.4',
        body: [text(title, { weight: 'bolder', size: 'medium', color }), ...linesOf(notice).map((line) => text(line, {}))],
        ...(run !== undefined && { actions: [{ type: 'Action.OpenUrl', title: 'Open the run', url: run }] }),
      },
    }],
  }
}

function text(line: string, style: Readonly<Record<string, string>>): object {
  return { type: 'RichTextBlock', inlines: [{ type: 'TextRun', text: line, ...style }] }
}
