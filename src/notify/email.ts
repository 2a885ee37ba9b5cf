import { InvalidValue, LifeboatError, messageOf } from '../error.ts'
import { decodedLogin } from './address.ts'
import { Transient } from '../net/retry.ts'
import type { NotificationKind } from './kind.ts'
import { type Notice, plainText } from './notice.ts'

/** A server of outgoing mail, and the addresses of a message. */
interface Mailing {
  host: string
  port: number
  /** TLS from the first byte; otherwise STARTTLS, without which nothing is sent. */
  secure: boolean
  user: string
  password: string
  from: string
  to: string[]
}

const FORM = 'smtps://USER:PASSWORD@HOST:465?from=ADDRESS&to=ADDRESS'

/** E-mail by SMTP, always with TLS (RFC 8314): `smtps://`, or `smtp://` with STARTTLS. Plain text alone. */
export const email: NotificationKind = {
  name: 'email',
  form: `email:${FORM}`,
  parse(text) {
    const mailing = mailingOf(text)
    return {
      shown: `email (${mailing.host})`,
      send: (notice, { limit }) => sendMail(mailing, notice, limit),
    }
  },
}

function mailingOf(text: string): Mailing {
  const url = URL.parse(text)
  if (!url || !['smtp:', 'smtps:'].includes(url.protocol) || !url.hostname) throw new InvalidValue(`after the colon is no URL ${FORM}`)
  const unknown = [...url.searchParams.keys()].some((name) => !['from', 'to'].includes(name))
  if (unknown) throw new InvalidValue('the URL has a parameter other than from and to')
  if (!['', '/'].includes(url.pathname)) throw new InvalidValue('the URL has a path, which a mail server has not')
  if (Boolean(url.username) !== Boolean(url.password)) throw new InvalidValue('the URL has a user without a password, or the reverse')
  const [from = '', second] = url.searchParams.getAll('from')
  const to = url.searchParams.getAll('to').flatMap((list) => list.split(',')).map((one) => one.trim())
  if (!isAddress(from) || second !== undefined) throw new InvalidValue('from is missing, or is not one e-mail address')
  if (to.length === 0 || to.length > MOST_RECIPIENTS || !to.every(isAddress)) {
    throw new InvalidValue(`to is missing, or is not a list of at most ${MOST_RECIPIENTS} e-mail addresses, separated by commas`)
  }
  const secure = url.protocol === 'smtps:'
  const [user, password] = [url.username, url.password].map((one) => decodedLogin(one))
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port) || (secure ? 465 : 587), secure,
    user: user!, password: password!, from, to,
  }
}

const MOST_RECIPIENTS = 20

/** Neither a name, nor a quoted part, nor a line end: nothing in it can become a header or a command. */
function isAddress(text: string): boolean {
  return /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,255}$/.test(text)
}

async function sendMail({ host, port, secure, user, password, from, to }: Mailing, notice: Notice, limit: number): Promise<void> {
  const { createTransport } = await import('nodemailer')
  const transport = createTransport({
    host, port, secure,
    requireTLS: true,
    ...(user && { auth: { user, pass: password } }),
    connectionTimeout: limit, greetingTimeout: limit, socketTimeout: limit, dnsTimeout: limit, socketCloseTimeout: 0,
    disableFileAccess: true, disableUrlAccess: true,
  })
  try {
    await transport.sendMail({
      from, to, subject: notice.title, text: `${plainText(notice)}\n`,
      // RFC 3834: no automatic answers.
      headers: { 'Auto-Submitted': 'auto-generated' },
    })
  } catch (error) {
    throw mailFailure(error, host)
  } finally {
    transport.close()
  }
}

/** Codes of nodemailer for which the words of the server, which may repeat a password, are not needed. */
const REFUSALS: Readonly<Record<string, string>> = {
  EAUTH: 'refused the user or the password',
  EENVELOPE: 'refused the sender or a recipient',
  EMESSAGE: 'refused the message',
  ETLS: 'offers no TLS, or its TLS failed',
}

function mailFailure(error: unknown, host: string): LifeboatError {
  const { code, responseCode } = codesOf(error)
  const status = responseCode === undefined ? '' : ` (status ${responseCode})`
  const refusal = REFUSALS[code]
  // RFC 5321, section 4.2.1: a status that begins with 4 may be another one the next time.
  const passing = responseCode === undefined ? refusal === undefined : responseCode < 500
  const certificate = /certificate|altnames/i.test(messageOf(error)) ? ': its certificate is not trusted' : ''
  const message = `${host} ${refusal ?? `could not be reached (${code})`}${status}${certificate}`
  if (passing && certificate === '') return new Transient(message)
  return new LifeboatError(message, {
    hint: certificate === '' ? 'Check the user, the password and the addresses in the target.' :
      'If an authority of your own signed it, set NODE_EXTRA_CA_CERTS to the file with its certificate.',
  })
}

function codesOf(error: unknown): { code: string; responseCode: number | undefined } {
  if (!(error instanceof Error)) return { code: 'unknown', responseCode: undefined }
  const code = 'code' in error && typeof error.code === 'string' && /^[A-Z_]{2,40}$/.test(error.code) ? error.code : 'unknown'
  const responseCode = 'responseCode' in error && typeof error.responseCode === 'number' ? error.responseCode : undefined
  return { code, responseCode }
}
