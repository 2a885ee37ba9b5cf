import { InvalidValue } from '../../src/error.ts'
import { isToldOf, parseTargets, targetSecrets } from '../../src/notify/targets.ts'
import { Redaction } from '../../src/report/redaction.ts'

const SLACK = 'https://hooks.slack.example/services/T0AAAAAAA/B0BBBBBBB/cCcCcCcCcCcCcCcCcCcCcCcC'

const refusal = (text: string): string => {
  try {
    parseTargets(text)
  } catch (error) {
    if (error instanceof InvalidValue) return error.message
    throw error
  }
  return ''
}

test('a target has its conditions; without some, it is told of failures, and a ping and an issue of everything', () => {
  const targets = parseTargets(`
    # people
    slack:${SLACK}
    webhook:https://hooks.example.com/x on success, recovered
    ping:https://hc-ping.example/5f3a9c1e-0000-4000-8000-000000000000
    issue
    email:smtps://me:pass%40word@mail.example.com?from=a@example.com&to=b@example.com,c@example.com on stale
  `)
  expect(targets.map(({ place, on }) => [place.shown, on])).toEqual([
    ['slack (hooks.slack.example)', ['failure']], ['webhook (hooks.example.com)', ['success', 'recovered']], ['ping (hc-ping.example)', ['always']], ['issue', ['always']],
    ['email (mail.example.com)', ['stale']],
  ])
})

test.each([
  ['failure', ['failure', 'could not verify', 'stale', 'interrupted']], ['success', ['success', 'recovered']], ['recovered', ['recovered']], ['stale', ['stale']],
  ['always', ['success', 'recovered', 'failure', 'could not verify', 'stale', 'interrupted']],
] as const)('a target on %s is told of what belongs to it', (condition, told) => {
  const all = ['success', 'recovered', 'failure', 'could not verify', 'stale', 'interrupted'] as const
  expect(all.filter((status) => isToldOf({ on: [condition] }, status)).toSorted()).toEqual([...told].toSorted())
})

test.each([
  ['slak:https://x.example/abc', 'target 1 is of an unknown service; did you mean slack?'],
  ['telegram:https://x.example/abc', 'target 1 is of an unknown service; the services are webhook, slack, discord, teams, ntfy, ping, email, issue'],
  [SLACK, 'target 1 is of an unknown service; the services are webhook, slack, discord, teams, ntfy, ping, email, issue'],
  [`slack:${SLACK} on fail`, 'target 1, slack: unknown condition after on; supported: failure, recovered, success, always, stale'],
  [`slack:${SLACK} failure`, 'target 1 cannot be read as KIND:ADDRESS, or KIND:ADDRESS on CONDITIONS; the services are webhook, slack, discord, teams, ntfy, ping, email, issue'],
  ['slack:', 'target 1, slack: after the colon is no URL https://host/path'],
  ['slack', 'target 1, slack: after the colon is no URL https://host/path'],
  ['slack:file:///etc/passwd', 'target 1, slack: after the colon is no URL https://host/path'],
  ['slack:http://hooks.slack.example/services/x', 'target 1, slack: the URL begins with http://, and everyone on the way could read it; use https://'],
  ['slack:https://me:hunter22@hooks.slack.example/x', 'target 1, slack: the URL has a user or a password, which this service does not take'],
  ['ntfy:https://ntfy.example/', 'target 1, ntfy: after the colon is no URL https://HOST/TOPIC with the name of a topic'],
  ['ping:https://hc.example/abc/start', 'target 1, ping: the URL ends with a signal; give the URL of the check, to which /start and /fail are added'],
  ['issue:other/repository', 'target 1, issue: nothing follows the word issue: it is opened in the repository of the run'],
  ['email:smtp://mail.example.com?from=a@b.example&to=c@d.example&tls=no', 'target 1, email: the URL has a parameter other than from and to'],
  ['email:smtp://mail.example.com?to=c@d.example', 'target 1, email: from is missing, or is not one e-mail address'],
  ['email:smtp://mail.example.com?from=a@b.example&to=c@d.example%0d%0aBcc:%20x@y.example', 'target 1, email: to is missing, or is not a list of at most 20 e-mail addresses, separated by commas'],
  ['email:smtps://me@mail.example.com?from=a@b.example&to=c@d.example', 'target 1, email: the URL has a user without a password, or the reverse'],
  ['email:http://mail.example.com', 'target 1, email: after the colon is no URL smtps://USER:PASSWORD@HOST:465?from=ADDRESS&to=ADDRESS'],
  [Array.from({ length: 21 }, () => `slack:${SLACK}`).join('\n'), 'there are 21 targets, and 20 are the most'],
])('a bad target is refused without its address: %s', (text, message) => {
  expect(refusal(text)).toBe(message)
})

test('a stray % in a password of ntfy is refused with what to write', () => {
  expect(refusal('ntfy:https://phil:pa%ss@ntfy.example/alerts')).toMatch(/a % that is not followed by two hex digits; write %25 for a % itself/)
})

test.each(['http://127.0.0.1:8080/x', 'http://[::1]/x', 'http://192.168.1.5/x', 'http://10.0.0.1/x', 'http://ntfy/x', 'http://ntfy.local/x'])('%s is near enough for http', (address) => {
  expect(refusal(`webhook:${address}`)).toBe('')
})

test.each([
  [`slack:${SLACK}`, ['cCcCcCcCcCcCcCcCcCcCcCcC', '/services/T0AAAAAAA/B0BBBBBBB/cCcCcCcCcCcCcCcCcCcCcCcC']],
  [`slack: ${SLACK} on failure`, ['cCcCcCcCcCcCcCcCcCcCcCcC']],
  [`slak:${SLACK} on failure`, ['cCcCcCcCcCcCcCcCcCcCcCcC']],
  ['discord:https://discord.example/api/webhooks/123456789012345678/AbC-dEf_012345678901234567890', ['AbC-dEf_012345678901234567890']],
  ['teams:https://prod.example:443/workflows/x/triggers/manual?api-version=2016-06-01&sig=AbCdEfGh%2BIjKl', ['AbCdEfGh%2BIjKl', 'AbCdEfGh+IjKl']],
  ['ntfy:https://:tk_7eevizlsiwf9yi4uxsrs83r4352o0@ntfy.example/alerts', ['tk_7eevizlsiwf9yi4uxsrs83r4352o0']],
  ['ntfy:https://tk_7eevizlsiwf9yi4uxsrs83r4352o0@ntfy.example/alerts', ['tk_7eevizlsiwf9yi4uxsrs83r4352o0']],
  ['ntfy:https://phil:my%2Fpass@ntfy.example/alerts', ['my/pass', 'my%2Fpass', Buffer.from('phil:my/pass').toString('base64')]],
  ['ping:https://hc-ping.example/5f3a9c1e-0000-4000-8000-000000000000', ['5f3a9c1e-0000-4000-8000-000000000000']],
  ['email:smtps://me:pass%40word@mail.example.com?from=a@example.com&to=b@example.com', ['pass@word', 'pass%40word']],
])('%s: its secrets are masked wherever they come up', (text, secrets) => {
  const redaction = new Redaction()
  for (const secret of targetSecrets(text)) redaction.add(secret)
  for (const secret of secrets) expect(redaction.apply(`error at ${secret}!`)).toBe('error at ***!')
  expect(redaction.apply(`fetch ${text.replace(/^\w+:| on .*$/g, '')} failed`)).not.toMatch(new RegExp(secrets.map((secret) => secret.replaceAll(/[^\w]/g, String.raw`\$&`)).join('|')))
  expect(redaction.apply('issue slack email mail.example.com ntfy.example a@example.com')).toBe('issue slack email mail.example.com ntfy.example a@example.com')
})
