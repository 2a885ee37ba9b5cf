import { spawnSync } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { micromark } from 'micromark'
import { gfm, gfmHtml } from 'micromark-extension-gfm'
import { z } from 'zod'
import { discordMessage } from '../../src/notify/discord.ts'
import { issueBody } from '../../src/notify/issue.ts'
import { type Notice, shortNotice } from '../../src/notify/notice.ts'
import { ntfyMessage } from '../../src/notify/ntfy.ts'
import { slackMessage } from '../../src/notify/slack.ts'
import { teamsMessage } from '../../src/notify/teams.ts'
import { signatureOf, webhookBody } from '../../src/notify/webhook.ts'
import { hostile, notice, RUN } from './notices.ts'

const url = z.url({ protocol: /^https?$/ })

// Slack, https://docs.slack.dev/reference/block-kit/blocks: header-block (150 characters, plain_text), section-block (3000 characters), at most 50 blocks;
// https://docs.slack.dev/reference/block-kit/composition-objects/text-object: `emoji` for plain_text alone.
const plain = (most: number) => z.strictObject({ type: z.literal('plain_text'), text: z.string().min(1).max(most), emoji: z.boolean().optional() })
const slack = z.strictObject({
  text: z.string().min(1).max(4000), unfurl_links: z.boolean(), unfurl_media: z.boolean(),
  blocks: z.array(z.union([
    z.strictObject({ type: z.literal('header'), text: plain(150) }),
    z.strictObject({ type: z.literal('section'), text: z.union([plain(3000), z.strictObject({ type: z.literal('mrkdwn'), text: z.string().max(3000) })]) }),
  ])).min(1).max(50),
})

// Discord, https://discord.com/developers/docs/resources/webhook#execute-webhook and /resources/message: embed limits, 6000 characters together.
const discord = z.strictObject({
  allowed_mentions: z.strictObject({ parse: z.array(z.enum(['roles', 'users', 'everyone'])) }),
  embeds: z.array(z.strictObject({
    title: z.string().max(256), description: z.string().max(4096), url: url.optional(), timestamp: z.iso.datetime(), color: z.int().min(0).max(0xFF_FF_FF),
  }).refine(({ title, description }) => title.length + description.length <= 6000)).min(1).max(10),
})

// Teams, https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using (adaptive card in a message, 28 KB), and
// https://adaptivecards.io/explorer: RichTextBlock and TextRun since 1.2, Action.OpenUrl.
const run = z.strictObject({
  type: z.literal('TextRun'), text: z.string().min(1), weight: z.enum(['default', 'lighter', 'bolder']).optional(),
  size: z.enum(['default', 'small', 'medium', 'large', 'extraLarge']).optional(), color: z.enum(['default', 'dark', 'light', 'accent', 'good', 'warning', 'attention']).optional(),
})
const teams = z.strictObject({
  type: z.literal('message'),
  attachments: z.array(z.strictObject({
    contentType: z.literal('application/vnd.microsoft.card.adaptive'), contentUrl: z.null(),
    content: z.strictObject({
      $schema: z.literal('http://adaptivecards.io/schemas/adaptive-card.json'), type: z.literal('AdaptiveCard'), version: z.enum(['1.2', '1.3', '1.4']),
      body: z.array(z.strictObject({ type: z.literal('RichTextBlock'), inlines: z.array(run).min(1) })).min(1),
      actions: z.array(z.strictObject({ type: z.literal('Action.OpenUrl'), title: z.string(), url })).optional(),
    }),
  })).length(1),
})

// ntfy, https://docs.ntfy.sh/publish/#publish-as-json; a message of more than 4,096 bytes becomes an attachment (#limitations).
const ntfy = z.strictObject({
  topic: z.string().regex(/^[-_A-Za-z0-9]{1,64}$/), title: z.string(), message: z.string().refine((text) => Buffer.byteLength(text) <= 4096),
  tags: z.array(z.string()), priority: z.int().min(1).max(5), click: url.optional(),
})

// docs/notifications.md
const webhook = z.strictObject({
  schema: z.literal(1), command: z.enum(['backup', 'restore', 'verify', 'check', 'prune', 'copy', 'verdict']),
  status: z.enum(['success', 'recovered', 'failure', 'could not verify', 'stale', 'interrupted']), title: z.string(), message: z.string(), problems: z.array(z.string()),
  advice: z.array(z.string()), set: z.string().nullable(), snapshot: z.string().nullable(), size: z.int().nullable(), added: z.int().nullable(), verified: z.string().nullable(),
  sets: z.array(z.strictObject({ set: z.string(), status: z.string(), snapshot: z.string().optional() })).nullable(),
  time: z.iso.datetime(), seconds: z.number(), repository: z.string().nullable(), run: url.nullable(),
})

const { run: _, repository: __, set: ___, ...bare } = notice()
const notices: [name: string, notice: Notice][] = [
  ['a failure', notice()],
  ['a success', notice({ status: 'success', snapshot: '20261201T120000Z-5f3a9c1e', size: 12, added: 3, verified: 'read', advice: [] })],
  ['several sets', notice({ sets: [{ set: 'app', status: 'success', snapshot: '20261201T120000Z-5f3a9c1e' }, { set: 'crm', status: 'failure' }] })],
  ['no run', bare],
  ['hostile texts', hostile()],
  ['quotation marks', notice({ title: '"'.repeat(900), message: '"'.repeat(9000), problems: Array.from({ length: 300 }, () => '"'.repeat(3000)), advice: Array.from({ length: 9 }, () => '"'.repeat(900)) })],
  ['long texts of many bytes', notice({ title: '漢'.repeat(900), message: '🚢'.repeat(9000), problems: Array.from({ length: 300 }, () => '漢'.repeat(3000)) })],
]

describe.each(notices)('%s', (_name, given) => {
  const short = shortNotice(given)
  test.each([
    ['slack', slack, slackMessage(short)], ['discord', discord, discordMessage(short)], ['teams', teams, teamsMessage(short)], ['ntfy', ntfy, ntfyMessage(short, 'backups')],
    ['webhook', webhook, webhookBody(short)],
  ] as const)('%s: the message is as the service documents it', (service, schema, message) => {
    expect(z.safeParse(schema, message).error).toBeUndefined()
    // Teams takes 28 KB; ntfy reads at most twice the 4,096 bytes of a message.
    expect(Buffer.byteLength(JSON.stringify(message))).toBeLessThan(service === 'ntfy' ? 8192 : 28_000)
  })
})

test('the three outcomes of a verification stay apart in every message', () => {
  const messages = (['success', 'failure', 'could not verify'] as const).map((status) => [webhookBody, discordMessage, teamsMessage].map((make) => JSON.stringify(make(notice({ status })))))
  for (const service of [0, 1, 2]) expect(new Set(messages.map((made) => made[service])).size).toBe(3)
})

test('names and errors from outside give no commands to Slack, Discord, Teams or GitHub', () => {
  const short = shortNotice(hostile())
  const { blocks, text } = slack.parse(slackMessage(short))
  // Only plain_text, but for the link to the run; `text` has no mark left.
  expect(blocks.flatMap((block) => (block.text.type === 'mrkdwn' ? [block.text.text] : []))).toEqual([`<${RUN}|Open the run>`])
  expect(text).not.toMatch(/[<>]/)

  const [embed] = discord.parse(discordMessage(short)).embeds
  expect(discordMessage(short)).toMatchObject({ allowed_mentions: { parse: [] } })
  expect(embed!.description).toMatch(/^```\n[^`]*\n```$/)
  expect(embed!.title.replaceAll(/\\./g, '')).not.toMatch(/[*_`~|<>[\]]|@(?!\u200B)/)

  const html = micromark(issueBody(short), { extensions: [gfm()], htmlExtensions: [gfmHtml()] })
  expect([...html.matchAll(/<(\w+)/g)].map(([, tag]) => tag).filter((tag) => !['p', 'ul', 'li', 'strong', 'a'].includes(tag!))).toEqual([])
  expect([...html.matchAll(/href="([^"]*)"/g)].map(([, href]) => href)).toEqual([RUN])
  expect(html).not.toMatch(/@(?!\u200B)/)
  for (const line of [short.title, short.message, ...short.problems, ...short.advice]) expect(line).toBe(line.replaceAll(/[^\P{C}\uFFFD]/gu, ''))
})

test('the example in the docs takes a webhook that is signed, and no other', () => {
  const page = readFileSync(path.join(import.meta.dirname, '../../docs/notifications.md'), 'utf8')
  const [, example = ''] = /```python\n([^]*?)```/.exec(page) ?? []
  const check = (signature: string): number | null => {
    const program = `import hmac, hashlib, types, sys\nsecret, body = b"shared", sys.stdin.buffer.read()\nrequest = types.SimpleNamespace(headers={"Lifeboat-Signature-256": sys.argv[1]})\n${example}`
    return spawnSync('python3', ['-c', program, signature], { input: body }).status
  }
  const body = JSON.stringify(webhookBody(notice({ message: 'ünïcödé' })))
  expect(signatureOf(body, 'shared')).toBe(`sha256=${createHmac('sha256', 'shared').update(body).digest('hex')}`)
  expect([check(signatureOf(body, 'shared')), check(signatureOf(body, 'other')), check(signatureOf(`${body} `, 'shared'))]).toEqual([0, 1, 1])
})
