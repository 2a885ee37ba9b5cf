import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import ssh2 from 'ssh2'
import { parseKnownHosts } from '../../../src/net/ssh/known-hosts.ts'
import { openSsh } from '../../../src/net/ssh/program.ts'
import { until } from '../../support/until.ts'
import { portOf } from '../../support/free-port.ts'
import { runningIn } from '../../support/ssh-processes.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-ssh-program-'))
  for (const name of ['host', 'user']) execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', path.join(folder, name)])
  execFileSync('ssh-keygen', ['-q', '-p', '-a', '1', '-P', '', '-N', 'the passphrase', '-f', path.join(folder, 'user')])
})
afterAll(() => rmSync(folder, { recursive: true }))

/** A server that takes a password, or asks for one by `prompt`, and keeps what it is told. sshd checks passwords of the system's accounts alone. */
async function signIn(access: { password?: string; key?: string; passphrase?: string }, prompt?: string, PATH = process.env['PATH']): Promise<{ told: string[]; error?: unknown }> {
  const told: string[] = []
  const way = prompt === undefined ? 'password' : 'keyboard-interactive'
  const server = new ssh2.Server({ hostKeys: [readFileSync(path.join(folder, 'host'), 'utf8')] }, (client) => {
    client.on('error', () => undefined)
    client.on('authentication', (context) => {
      const check = (answer: string): void => {
        told.push(answer)
        if (answer === 'the password') context.accept()
        else context.reject([way])
      }
      if (context.method === 'password' && prompt === undefined) check(context.password)
      else if (context.method === 'keyboard-interactive' && prompt !== undefined) context.prompt([{ prompt, echo: false }], ([answer]) => check(answer ?? ''))
      else context.reject([way])
    })
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const temporary = path.join(folder, 'staging')
  try {
    const port = portOf(server)
    const knownHosts = parseKnownHosts(`[127.0.0.1]:${port} ${readFileSync(path.join(folder, 'host.pub'), 'utf8')}`)
    const ssh = await openSsh({ user: 'me', host: '127.0.0.1', port }, { ...access, knownHosts }, [], { variables: { PATH }, temporary, signal: new AbortController().signal })
    await ssh.close()
    return { told }
  } catch (error) {
    return { told, error }
  } finally {
    await until(async () => runningIn(folder).length === 0)
    expect(readdirSync(temporary)).toEqual([])
    server.close()
  }
}

test.each([undefined, 'Password: '])('a password is given to a server that asks for it (%s), and a wrong one is told as refused', async (prompt) => {
  expect(await signIn({ password: 'the password' }, prompt)).toEqual({ told: ['the password'] })
  expect(await signIn({ password: 'wrong one' }, prompt)).toMatchObject({ told: ['wrong one'], error: { message: expect.stringMatching(/does not let me sign in with the password$/) } })
})

test('without a key nothing is read for one: the head of macOS refuses to read no bytes', async () => {
  const programs = path.join(folder, 'programs')
  mkdirSync(programs)
  writeFileSync(path.join(programs, 'head'), '#!/bin/sh\necho "head: illegal byte count -- $2" >&2\nexit 1\n', { mode: 0o755 })
  expect(await signIn({ password: 'the password' }, undefined, `${programs}:${process.env['PATH']}`)).toEqual({ told: ['the password'] })
})

test('a server that asks for the passphrase of the key gets the password', async () => {
  const key = readFileSync(path.join(folder, 'user'), 'utf8')
  const { told } = await signIn({ key, passphrase: 'the passphrase', password: 'the password' }, "Enter passphrase for key 'key': ")
  expect(told).toEqual(['the password'])
})

test('the key never lies in a file that outlives who uses it, and nobody else sees what does', async () => {
  const key = readFileSync(path.join(folder, 'user'), 'utf8')
  const temporary = path.join(folder, 'staging-of-a-key')
  let reached: () => void
  const connected = new Promise<void>((resolve) => (reached = resolve))
  // It says nothing, so that ssh waits, with its key not yet read.
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    reached()
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const controller = new AbortController()
  const knownHosts = parseKnownHosts(`* ${readFileSync(path.join(folder, 'host.pub'), 'utf8')}`)
  const target = { user: 'me', host: '127.0.0.1', port: portOf(server) }
  const opening = openSsh(target, { key, passphrase: 'the passphrase', knownHosts }, [], { variables: { PATH: process.env['PATH'] }, temporary, signal: controller.signal }).catch((error: unknown) => error)
  await connected
  const listed = execFileSync('find', [temporary, '-printf', '%y %m %P\n'], { encoding: 'utf8' }).trim().split('\n').toSorted()
  expect(listed.map((line) => line.replaceAll(/[A-Za-z0-9]{16}|(?<=ssh-)\w{6}/g, '…'))).toEqual(['d 700 ', 'd 700 ssh-…', 'f 600 ssh-…/known_hosts', 'f 700 ssh-…/askpass', 'l 777 ssh-…/key-…'])
  expect(() => execFileSync('grep', ['-r', key.split('\n')[1]!, temporary])).toThrow()
  controller.abort(new Error('enough'))
  expect(await opening).toMatchObject({ message: 'enough' })
  server.close()
})
