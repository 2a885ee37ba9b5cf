import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { z } from 'zod'
import { clientDirectory, run } from './client-programs.ts'
import { startServer } from './postgres-server.ts'
import { until } from './until.ts'

function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    expect(error).toMatchObject({ code: 'ESRCH' })
    return false
  }
}

test('servers of several majors run side by side, each its own, and leave nothing behind', async () => {
  const servers = await Promise.all([startServer(14), startServer(16), startServer(18)])
  const versions = await Promise.all(servers.map((server) => server.sql('SHOW server_version_num')))
  expect(versions.map((version) => version.slice(0, 2))).toEqual(['14', '16', '18'])
  await Promise.all(servers.map((server) => server.stop()))
  for (const server of servers) {
    expect(alive(server.pid)).toBe(false)
    expect(existsSync(server.socketDirectory)).toBe(false)
  }
})

test('the URL opens a database with any name, a wrong password opens none', async () => {
  const server = await startServer(17)
  try {
    await server.createDatabase('Ünïcode "quoted" / db')
    const psql = path.join(clientDirectory(17), 'psql')
    const query = ['-X', '-A', '-t', '-c', 'SELECT current_database()']
    expect((await run(psql, ['-d', server.url('Ünïcode "quoted" / db'), ...query])).trim()).toBe('Ünïcode "quoted" / db')
    await expect(run(psql, ['-d', server.url('postgres', 'postgres', 'wrong'), ...query])).rejects.toThrow('password authentication failed')
  } finally {
    await server.stop()
  }
})

test('settings reach the server, and a server that trusts asks for no password', async () => {
  const server = await startServer(15, { auth: 'trust', settings: { work_mem: '7MB' } })
  try {
    expect(await server.sql('SHOW work_mem')).toBe('7MB')
    const url = server.url('postgres', 'postgres', 'whatever')
    expect(await run(path.join(clientDirectory(15), 'psql'), ['-X', '-A', '-t', '-d', url, '-c', 'SELECT 1'])).toBe('1\n')
  } finally {
    await server.stop()
  }
})

test('a failing statement is an error with the words of PostgreSQL', async () => {
  const server = await startServer(18)
  try {
    await expect(server.sql('SELECT 1; SELECT * FROM missing; SELECT 2')).rejects.toThrow('relation "missing" does not exist')
  } finally {
    await server.stop()
  }
})

test('a server that cannot start says why and leaves no folder', async () => {
  await expect(startServer(17, { settings: { nonsense: '1' } })).rejects.toThrow('unrecognized configuration parameter "nonsense"')
})

test('a server ends and its folder goes when the process that started it is killed', async () => {
  const program = `
    import { startServer } from ${JSON.stringify(path.join(import.meta.dirname, 'postgres-server.ts'))}
    const { pid, socketDirectory } = await startServer(17)
    console.log(JSON.stringify({ pid, socketDirectory }))
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line]: unknown[] = await once(child.stdout, 'data')
  const { pid, socketDirectory } = z.object({ pid: z.int(), socketDirectory: z.string() }).parse(JSON.parse(String(line)))
  expect(alive(pid)).toBe(true)
  child.kill('SIGKILL')
  await until(() => !existsSync(socketDirectory))
  expect(alive(pid)).toBe(false)
})
