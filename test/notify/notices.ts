import type { Notice } from '../../src/notify/notice.ts'

/** Text that would give commands to every service that reads it as more than text. */
export const HOSTILE = '@everyone @here <!channel> <@U123> <@&42> **bold** [click](https://evil.example) `code` ``` <script>alert(1)</script> <https://evil.example|safe> &amp; #1 \u202Eevil\r\nBcc: victim@example.com\r\n\r\n.\r\nMAIL FROM:<x@y>\u0007'

export const RUN = 'https://github.com/octo/shop/actions/runs/7'

export function notice(changes: Partial<Notice> = {}): Notice {
  return {
    command: 'backup', status: 'failure', title: 'Lifeboat backup failed: set app, octo/shop', message: 'the server db:5432 does not answer', problems: [],
    advice: ['Check that the server runs.'], set: 'app', time: '2026-12-01T12:00:00.000Z', seconds: 12.5, repository: 'octo/shop', run: RUN, ...changes,
  }
}

export const hostile = (): Notice => notice({ title: `Lifeboat backup failed: set ${HOSTILE}`, message: HOSTILE, problems: Array.from({ length: 40 }, () => HOSTILE.repeat(20)), advice: [HOSTILE] })
