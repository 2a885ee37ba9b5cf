import path from 'node:path'
import * as fc from 'fast-check'
import { LifeboatError } from '../../src/error.ts'
import { marked } from '../../src/marks.ts'
import { inputsOf, parseInputs } from '../../src/commands/all.ts'
import { secretsGiven } from '../../src/inputs/secrets.ts'
import { Redaction } from '../../src/report/redaction.ts'
import { destinationSecrets, parseDestination, warnOfLoss } from '../../src/stores/destination.ts'
import { runLifeboat } from '../support/terminal-program.ts'

const AWS = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'

function refusal(text: string): LifeboatError {
  try {
    parseInputs('list', { destination: text }, {})
  } catch (error) {
    if (error instanceof LifeboatError) return error
    throw error
  }
  throw new Error(`${text} was accepted`)
}

/** The rest of `text` once the secrets of a destination are masked, as both entries of the program do it. */
function masked(destination: string, text: string): string {
  const redaction = new Redaction()
  for (const secret of secretsGiven(inputsOf('list'), { destination }, {})) redaction.add(secret)
  return redaction.apply(text)
}

test('a bucket is read with all its settings', () => {
  const text = `s3://backups/db/app/?region=eu-central-1&endpoint=https%3A%2F%2Fs3.example.com:9000/&path-style=true&storage-class=STANDARD_IA&sse=aws:kms&sse-kms-key-id=alias/backups&access-key-id=AKIAEXAMPLE&secret-access-key=${AWS}&session-token=t%26oken==`
  expect(parseDestination(text)).toEqual({
    kind: 's3',
    text: 's3://backups/db/app?region=eu-central-1&endpoint=https://s3.example.com:9000/&path-style=true&storage-class=STANDARD_IA&sse=aws:kms&sse-kms-key-id=alias/backups',
    bucket: 'backups', prefix: 'db/app/', region: 'eu-central-1', endpoint: 'https://s3.example.com:9000', pathStyle: true, storageClass: 'STANDARD_IA',
    encryption: 'aws:kms', kmsKey: 'alias/backups',
    credentials: { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: AWS, sessionToken: 't&oken==' },
  })
  expect(parseDestination('s3://backups')).toMatchObject({ text: 's3://backups', prefix: '', pathStyle: false, endpoint: undefined, credentials: undefined })
})

test('a container is read with a key, or with a shared access signature as it comes from the portal', () => {
  expect(parseDestination('azblob://account1/backups/app?account-key=c2VjcmV0a2V5==&endpoint=blob.example.com')).toEqual({
    kind: 'azblob', text: 'azblob://account1/backups/app?endpoint=blob.example.com', account: 'account1', container: 'backups', prefix: 'app/',
    endpoint: 'https://blob.example.com', key: 'c2VjcmV0a2V5==', sas: undefined,
  })
  const signature = 'sv=2024-11-04&ss=b&srt=co&sp=rwdlc&se=2027-01-01T00:00:00Z&sig=a%2Fb%2Bc%3D'
  expect(parseDestination(`azblob://account1/backups?${signature}`)).toMatchObject({ text: 'azblob://account1/backups', key: undefined, sas: 'sv=2024-11-04&ss=b&srt=co&sp=rwdlc&se=2027-01-01T00%3A00%3A00Z&sig=a%2Fb%2Bc%3D' })
  expect(parseDestination(`azblob://account1/backups?sas=${encodeURIComponent(signature)}`)).toMatchObject({ text: 'azblob://account1/backups', sas: signature })
})

test('a folder on a server is read with its user and password, and shown without the password', () => {
  expect(parseDestination('sftp://us%40er:pass%2Fword@NAS.example:2222/srv/back%20ups/')).toEqual({
    kind: 'sftp', text: 'sftp://us%40er@NAS.example:2222/srv/back%20ups', user: 'us@er', password: 'pass/word', host: 'NAS.example', port: 2222, path: '/srv/back ups',
  })
  expect(parseDestination('sftp://me@[fd00::1]/~/backups')).toMatchObject({ text: 'sftp://me@[fd00::1]/~/backups', host: 'fd00::1', port: 22, path: 'backups', password: undefined })
  expect(parseDestination('webdavs://me:pass%40word@cloud.example/remote.php/dav/files/me/b%20u/')).toEqual({
    kind: 'webdavs', text: 'webdavs://cloud.example/remote.php/dav/files/me/b%20u', base: 'https://cloud.example/remote.php/dav/files/me/b%20u/', user: 'me', password: 'pass@word',
  })
  expect(parseDestination('webdav://nas.local:5005')).toMatchObject({ base: 'http://nas.local:5005/', user: undefined, password: undefined })
  expect(parseDestination('rclone:my drive:backups/app')).toEqual({ kind: 'rclone', text: 'rclone:my drive:backups/app', remote: 'my drive', path: 'backups/app' })
  expect(destinationSecrets('sftp://me:pass%2Fword@nas/srv')).toEqual(expect.arrayContaining(['pass%2Fword', 'pass/word']))
  expect(destinationSecrets('webdavs://me:password@host/x')).toContain(Buffer.from('me:password').toString('base64'))
  expect(destinationSecrets('rclone::s3,secret_access_key="abc def",x=y:bucket')).toEqual(expect.arrayContaining(['abc def', 'y']))
})

test('a folder may say whether a disk has to be mounted', () => {
  expect(parseDestination('file:/mnt/a?b?mounted=false')).toEqual({ kind: 'file', text: 'file:/mnt/a?b?mounted=false', path: '/mnt/a?b', mounted: false })
  for (const text of ['file:/backup?mounted=yes', 'file:/backup?mounted', 'file:/backup?mount=true', 'file:/b?mounted=true&mounted=maybe'])
    expect(() => parseDestination(text)).toThrow('the text after the path is neither ?mounted=true nor ?mounted=false')
})

test('a relative folder is shown with its whole path', () => {
  const whole = path.resolve('backups')
  expect(parseDestination('file:backups')).toEqual({ kind: 'file', text: `file:${whole}`, path: whole })
  expect(parseDestination('file:./backups?mounted=true')).toEqual({ kind: 'file', text: `file:${whole}?mounted=true`, path: whole, mounted: true })
})

/** The warnings of a backup to this destination. */
function warnings(text: string, runner?: string): string[] {
  const said: string[] = []
  const report = { info: () => undefined, warning: (message: string, hint?: string) => void said.push(`${message}. ${hint}`), progress: () => undefined, mask: () => undefined }
  warnOfLoss(parseDestination(text), { report, variables: { RUNNER_ENVIRONMENT: runner } })
  return said
}

test('a folder of a runner that is deleted after the job is warned of, another and one of another machine are not', () => {
  expect(warnings('file:/b', 'github-hosted')).toEqual([expect.stringMatching(/^this runner and its disk are deleted after the job, and with them the backup in file:\/b\. Use artifact, S3 .*later step/)])
  for (const [text, runner] of [['file:/b', 'self-hosted'], ['file:/b'], ['file:/b?mounted=true', 'github-hosted'], ['artifact', 'github-hosted'], ['s3://backups', 'github-hosted']] as const) expect(warnings(text, runner)).toEqual([])
})

test.each(['artifact', 'file:/mnt/backups', 'file:/backup?mounted=true', 'sftp://me@nas.example/srv/backups', 'webdavs://cloud.example/dav', 'rclone:drive:backups', 's3://backups/app?region=eu-central-1&endpoint=https://s3.example.com', 'azblob://account1/backups/app'])('%s has no secret, and is shown as it is', (text) => {
  expect(destinationSecrets(text)).toEqual([])
  expect(parseDestination(text).text).toBe(text)
})

test.each([
  ['s3:// is followed by no name', 's3://'],
  ['sftp:// is not followed by user@host', 'sftp://nas.example/srv'],
  ['the host is not followed by a path: /srv/backups, or /~/backups for a folder where a login starts', 'sftp://me@nas.example'],
  ['the path has a part . or ..', 'sftp://me@nas.example/srv/../etc'],
  [marked`webdavs://user:password@host has a user or a password alone; for a token, give ‹webdav-token›`, 'webdavs://me@cloud.example/dav'],
  ['rclone: is followed by the name of a remote, a colon and a path: rclone:drive:backups/app', 'rclone:drive'],
  ['between rclone: and the next colon there is no name of a remote; settings belong into the configuration of rclone', 'rclone:s3,secret_access_key=hunter2:bucket'],
  ['between rclone: and the next colon there is no name of a remote; settings belong into the configuration of rclone', 'rclone:--config=x:bucket'],
  ['the value is in quotation marks. Remove the quotation marks', '"file:/mnt/backups"'],
  ['the value is in quotation marks. Remove the quotation marks', "'s3://backups'"],
  ['s3:// is followed by no name', 's3:///path'],
  ['s3: is not followed by //; did you mean s3://bucket?', 's3:bucket'],
  ['the text after s3: cannot be read; a user, a password and a value are percent-encoded (%40 for @, %2F for /, %3F for ?)', 's3:bucket?x=y'],
  ['"Region" is not a parameter of it; did you mean region?', 's3://backups?Region=x'],
  ['"access_key_id" is not a parameter of it; did you mean access-key-id?', 's3://backups?access_key_id=x'],
  ['it has no parameter endpiont; did you mean endpoint?', 's3://backups?endpiont=https://minio:9000'],
  ['it has an unknown parameter; supported: region, endpoint, path-style, storage-class, sse, sse-kms-key-id, access-key-id, secret-access-key, session-token', 's3://backups?hunter22=x'],
  ['the parameter region has no value', 's3://backups?region='],
  ['the parameter region is given twice', 's3://backups?region=a&region=b'],
  ['access-key-id and secret-access-key are given together or not at all', 's3://backups?access-key-id=a'],
  ['path-style is neither true nor false', 's3://backups?path-style=yes'],
  ['sse is not one of AES256, aws:kms, aws:kms:dsse', 's3://backups?sse=yes'],
  ['sse-kms-key-id needs sse=aws:kms', 's3://backups?sse-kms-key-id=a'],
  ['endpoint is not the URL of a service, https://host or https://host:port', 's3://backups?endpoint=ftp://host'],
  ['s3:// takes no user and password; give access-key-id= and secret-access-key= as parameters', 's3://AKIA:secret@backups'],
  ['s3:// is followed by the name of a bucket; the host of a service goes into endpoint=', 's3://host:9000/backups'],
  ['the path has an empty part, . or ..', 's3://backups/a/../b'],
  ['the value of secret-access-key has a % that is not followed by the two hex digits of a UTF-8 byte; write %25 for a % itself', 's3://backups?secret-access-key=a%b'],
  ['the account is not followed by / and the name of a container', 'azblob://account1'],
  ['the shared access signature has no sig=', 'azblob://account1/backups?sv=2024-11-04'],
  ['it has more than one of account-key=, sas= and the parts of a shared access signature', 'azblob://account1/backups?account-key=a&sig=b'],
])('%s', (message, text) => {
  const error = refusal(text)
  expect(error.message).toBe(`destination: ${message}`)
  expect(error.status).toBe(2)
})

test('secrets are masked as they stand in the destination, decoded, and in base64', () => {
  const destination = `s3://backups?access-key-id=AKIAEXAMPLE&secret-access-key=${encodeURIComponent(AWS)}`
  const base64 = Buffer.from(AWS).toString('base64').replace(/=+$/, '')
  expect(masked(destination, `${destination} ${AWS} ${base64} AKIAEXAMPLE`)).toBe('s3://backups?access-key-id=***&secret-access-key=*** *** *** ***')
})

test('no secret is shown, however the destination is broken', () => {
  const secret = 'hunter22secret'
  const piece = fc.constantFrom('s3://', 'azblob://', 'artifact:', 'bucket', '@', ':', '/', '?', '&', '=', '%', '%zz', ' ', 'sig', 'region', 'secret-access-key', 'account-key', '[', '#')
  const some = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join(''))
  fc.assert(
    fc.property(fc.constantFrom('s3', 'azblob', 'sftp', 'webdavs', 'https'), some, some, fc.constantFrom('secret-access-key=', 'sig=', 'password=', 'x='), (kind, before, after, name) => {
      for (const text of [`${kind}://user:${before}${secret}${after}@host/path`, `${kind}://bucket/${before}?${name}${secret}${after}`]) {
        try {
          expect(parseDestination(text).text).not.toContain(secret)
        } catch (error) {
          if (!(error instanceof Error)) throw error
          expect(error.message).not.toContain(secret)
        }
        expect(masked(text, text)).not.toContain(secret)
      }
    }),
    { numRuns: 500, examples: [['sftp', '@', '/', 'x='], ['webdavs', 'sig@', '/', 'x='], ['s3', '?region=', '', 'secret-access-key=']] },
  )
})

test('the destination of a command is that of LIFEBOAT_DESTINATION, and one that is given comes first', () => {
  const variables = { LIFEBOAT_DESTINATION: 'file:/from/variable' }
  expect(parseInputs('list', {}, variables)).toMatchObject({ destination: { kind: 'file', path: '/from/variable' } })
  expect(parseInputs('list', { destination: 'file:/given' }, variables)).toMatchObject({ destination: { kind: 'file', path: '/given' } })
})

/** The message of a command that fails. */
const run = async (args: string[], variables: Record<string, string>, command = 'list'): Promise<string> => {
  const { status, err } = await runLifeboat([command, ...args], { PATH: process.env['PATH'], ...variables })
  return status === 0 ? 'it did not fail' : err
}

test('at a terminal, a secret on the command line is warned of, and shown neither there nor out of the environment', async () => {
  const destination = `s3://backups?endpoint=http://127.0.0.1:1&access-key-id=AKIAEXAMPLE&secret-access-key=${encodeURIComponent(AWS)}`
  const [argument, variable] = await Promise.all([run(['--destination', destination, '--timeout', '1s'], {}), run(['--timeout', '1s'], { LIFEBOAT_DESTINATION: destination })])
  expect(argument).toContain('a secret in --destination is on the command line')
  expect(argument).toContain('Set LIFEBOAT_DESTINATION instead')
  expect(variable).not.toContain('command line')
  for (const text of [argument, variable]) {
    expect(text).toContain('s3://backups?endpoint=http://127.0.0.1:1')
    for (const secret of [AWS, encodeURIComponent(AWS), 'AKIAEXAMPLE']) expect(text).not.toContain(secret)
  }
})

test('where no environment variable stands for an input, standard input alone is named as the other way', async () => {
  const destination = `s3://backups?endpoint=http://127.0.0.1:1&access-key-id=AKIAEXAMPLE&secret-access-key=${encodeURIComponent(AWS)}`
  const said = await run(['--from', destination, '--destination', 'file:/does/not/matter', '--timeout', '1s'], {}, 'copy')
  expect(said).toContain('a secret in --from is on the command line')
  expect(said).toContain('hint: Give - and pass it on standard input.')
  expect(said).not.toContain('undefined')
})
