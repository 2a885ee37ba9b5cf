import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { LifeboatError, InvalidValue } from '../../../src/error.ts'
import { checkHostKey, linesAbout, parseKnownHosts, readKnownHosts, sshFingerprint } from '../../../src/net/ssh/known-hosts.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-known-hosts-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function newKey(name: string, type = 'ed25519'): { line: string; blob: Buffer } {
  const file = path.join(folder, name)
  execFileSync('ssh-keygen', ['-q', '-t', type, '-N', '', '-C', '', '-f', file])
  const line = readFileSync(`${file}.pub`, 'utf8').trim()
  return { line, blob: Buffer.from(line.split(' ')[1]!, 'base64') }
}

const [one, other, rsa] = [newKey('one'), newKey('other'), newKey('rsa', 'rsa')]
const standard = { host: 'nas.example', port: 22 }
const special = { host: 'nas.example', port: 2222 }

/** The error of a check; undefined when the key is trusted. */
function refusal(text: string, address = standard, key = one.blob): LifeboatError | undefined {
  try {
    checkHostKey(parseKnownHosts(text), address, key, 'ssh-known-hosts')
    return undefined
  } catch (error) {
    if (!(error instanceof LifeboatError)) throw error
    return error
  }
}

test.each([
  ['the name', `nas.example ${one.line}`],
  ['one of several names', `other.example,nas.example,10.0.0.1 ${one.line}`],
  ['capitals', `NAS.Example ${one.line}`],
  ['a pattern', `*.example ${one.line}`],
  ['the port written out', `[nas.example]:22 ${one.line}`],
  ['a comment at the end, comments and empty lines around, and line ends of Windows', `# nas\r\n\r\nnas.example ${one.line} root@nas\r\n`],
  ['another key of the same host before it', `nas.example ${other.line}\nnas.example ${one.line}`],
])('%s makes a key known', (_, text) => {
  expect(refusal(text)).toBeUndefined()
})

test('a key of another port counts for that port alone, and a key without a port for the others', () => {
  expect(refusal(`[nas.example]:2222 ${one.line}`, special)).toBeUndefined()
  expect(refusal(`nas.example ${one.line}`, special)).toBeUndefined()
  expect(refusal(`[nas.example]:2222 ${one.line}`)?.message).toContain('is not known')
  expect(refusal(`nas.example ${one.line}\n[nas.example]:2222 ${other.line}`, special)?.message).toContain('another host key')
})

test('names that ssh-keygen hashed are recognised', () => {
  const file = path.join(folder, 'hashed')
  writeFileSync(file, `nas.example ${one.line}\n[nas.example]:2222 ${other.line}\n`)
  execFileSync('ssh-keygen', ['-q', '-H', '-f', file], { stdio: 'ignore' })
  const hashed = readFileSync(file, 'utf8')
  expect(hashed).not.toContain('nas.example')
  expect(refusal(hashed)).toBeUndefined()
  expect(refusal(hashed, special, other.blob)).toBeUndefined()
  expect(refusal(hashed, { host: 'elsewhere.example', port: 22 })?.message).toContain('is not known')
})

test('an unknown host is refused, with the fingerprint that ssh-keygen shows and the line to add', () => {
  const error = refusal(`elsewhere.example ${one.line}`, special)!
  const shown = execFileSync('ssh-keygen', ['-l', '-f', path.join(folder, 'one.pub')], { encoding: 'utf8' }).split(' ')[1]!
  expect(sshFingerprint(one.blob)).toBe(shown)
  expect(error.message).toContain(`the host key of [nas.example]:2222 is not known: it shows ssh-ed25519 ${shown}`)
  expect(error.hint).toContain(`[nas.example]:2222 ${one.line}`)
  expect(refusal(error.hint!.split('to ssh-known-hosts: ')[1]!, special)).toBeUndefined()
})

test('another key than the known one is refused as such, and a negated name takes a host out', () => {
  expect(refusal(`nas.example ${other.line}`)?.message).toMatch(/^nas\.example shows another host key than the one that is known/)
  expect(refusal(`*.example,!nas.example ${one.line}`)?.message).toContain('is not known')
})

test('a revoked key is refused even where another line knows it, and certificates are not taken for keys', () => {
  expect(refusal(`nas.example ${one.line}\n@revoked * ${one.line}`)?.message).toContain('marks as revoked')
  expect(refusal(`[nas.example]:2222 ${one.line}\n@revoked nas.example ${one.line}`, special)?.message).toContain('marks as revoked')
  expect(refusal(`@cert-authority *.example ${one.line}`)?.message).toContain('certificates of hosts are not supported')
})

test('a line that is none is named by its number, and passed over in a file of others', () => {
  const text = `nas.example ${one.line}\n${one.line}`
  expect(() => parseKnownHosts(text)).toThrow(InvalidValue)
  expect(() => parseKnownHosts(text)).toThrow('line 2 is not a line of a known_hosts file')
  expect(() => parseKnownHosts(`nas.example ssh-rsa ${one.line.split(' ')[1]}`)).toThrow('line 1')
  expect(() => parseKnownHosts(`@unknown nas.example ${one.line}`)).toThrow('line 1')
  expect(readKnownHosts(text)).toHaveLength(1)
})

test('the lines about a host tell which kinds of keys to ask for', () => {
  const known = parseKnownHosts(`nas.example ${rsa.line}\nelsewhere.example ${one.line}`)
  expect(linesAbout(known, standard).map(({ type }) => type)).toEqual(['ssh-rsa'])
})
