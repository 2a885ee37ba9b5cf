import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from './free-port.ts'
import { type Guard, startGuard } from './guard.ts'

/** The users of the gateway. */
export interface CephUser {
  accessKey: string
  secretKey: string
}

/** Ceph with its S3 gateway on loopback, its data in memory. */
export interface Ceph extends CephUser {
  endpoint: string
  /** A further user, who owns nothing yet. */
  user(name: string): CephUser
  /** Ends it and removes its folder. */
  stop(): Promise<void>
}

/** `current` is what services run today; `old` knows no checksums in trailers, as many that call themselves compatible with S3. */
export type CephVersion = 'current' | 'old'

export async function startCeph(version: CephVersion = 'current'): Promise<Ceph> {
  const root = path.join(import.meta.dirname, `../../.cache/ceph-${version}`)
  if (!existsSync(root)) throw new Error(`${root} is missing: run "bash scripts/setup.sh test"`)
  const folder = mkdtempSync(path.join(tmpdir(), 'lifeboat-ceph-'))
  const guard = startGuard(folder, 'KILL')
  try {
    const port = await launch(root, folder, guard)
    const user = (name: string): CephUser => {
      const keys = { accessKey: `${name}-access`, secretKey: `${name}/secret+of=it` }
      run(root, folder, 'radosgw-admin', '-n', 'client.rgw', 'user', 'create', '--uid', name, '--display-name', name, '--access-key', keys.accessKey, '--secret', keys.secretKey)
      return keys
    }
    return { ...user('owner'), endpoint: `http://127.0.0.1:${port}`, user, stop: () => guard.end() }
  } catch (error) {
    await guard.end()
    throw error
  }
}

async function launch(root: string, folder: string, guard: Guard): Promise<number> {
  for (const name of ['mon', 'osd', 'rgw']) mkdirSync(path.join(folder, name))
  const [monitor, gateway] = [await freePort(), await freePort()]
  const fsid = randomUUID()
  writeFileSync(path.join(folder, 'ceph.conf'), configuration(root, folder, fsid, monitor, gateway))
  const [monitors, devices] = [path.join(folder, 'monmap'), path.join(folder, 'osdmap')]
  run(root, folder, 'monmaptool', '--create', '--fsid', fsid, '--addv', 'a', `[v2:127.0.0.1:${monitor}]`, monitors)
  // With its one disk known from the beginning, the cluster needs no administration over the network.
  run(root, folder, 'osdmaptool', '--createsimple', '1', '--fsid', fsid, devices)
  run(root, folder, 'ceph-mon', '-i', 'a', '--mkfs', '--fsid', fsid, '--monmap', monitors, '--osdmap', devices)
  const mon = serve(root, folder, guard, 'ceph-mon', '-i', 'a')
  run(root, folder, 'ceph-osd', '-i', '0', '--mkfs', '--osd-uuid', randomUUID())
  const osd = serve(root, folder, guard, 'ceph-osd', '-i', '0')
  const rgw = serve(root, folder, guard, 'radosgw', '-n', 'client.rgw')
  for (let waited = 0; waited < 60_000; waited += 50) {
    const dead = [mon, osd, rgw].find(({ exitCode, signalCode }) => exitCode !== null || signalCode !== null)
    if (dead) throw new Error(`${path.basename(dead.spawnfile)} ended: ${readFileSync(path.join(folder, `${path.basename(dead.spawnfile)}.out`), 'utf8').slice(-2000)}`)
    if (await answers(gateway)) return gateway
    await sleep(50)
  }
  throw new Error('the gateway was not ready within a minute')
}

async function answers(port: number): Promise<boolean> {
  try {
    await (await fetch(`http://127.0.0.1:${port}/`)).text()
    return true
  } catch {
    // Refused until it listens.
    return false
  }
}

function run(root: string, folder: string, program: string, ...args: string[]): void {
  execFileSync(path.join(root, 'usr/bin', program), ['-c', path.join(folder, 'ceph.conf'), ...args], { stdio: 'pipe' })
}

function serve(root: string, folder: string, guard: Guard, program: string, ...args: string[]): ChildProcess {
  const output = openSync(path.join(folder, `${program}.out`), 'w')
  const child = spawn(path.join(root, 'usr/bin', program), ['-c', path.join(folder, 'ceph.conf'), '-f', ...args], { stdio: ['ignore', output, output], detached: true })
  child.unref()
  guard.watch(child.pid!)
  return child
}

function configuration(root: string, folder: string, fsid: string, monitor: number, gateway: number): string {
  const libraries = path.join(root, 'usr/lib/x86_64-linux-gnu')
  const settings = {
    fsid, mon_initial_members: 'a', mon_host: `v2:127.0.0.1:${monitor}`, public_addr: '127.0.0.1', ms_bind_ipv6: false, ms_bind_msgr1: false,
    auth_cluster_required: 'none', auth_service_required: 'none', auth_client_required: 'none',
    log_file: `${folder}/$name.log`, run_dir: folder, admin_socket: `${folder}/$name.asok`, pid_file: `${folder}/$name.pid`,
    plugin_dir: `${libraries}/ceph`, erasure_code_dir: `${libraries}/ceph/erasure-code`, osd_class_dir: `${libraries}/rados-classes`,
    osd_class_load_list: '*', osd_class_default_list: '*',
    osd_pool_default_size: 1, osd_pool_default_min_size: 1, osd_pool_default_pg_num: 8, osd_pool_default_pg_autoscale_mode: 'off', osd_crush_chooseleaf_type: 0,
    ms_mon_client_mode: 'crc', ms_client_mode: 'crc', paxos_propose_interval: 0.05, paxos_min_wait: 0.01, mon_tick_interval: 1,
    mon_cluster_log_to_file: false, mon_allow_pool_size_one: true, mon_max_pg_per_osd: 1000, mon_data_avail_crit: 1,
    osd_objectstore: 'memstore', memstore_device_bytes: '8G', mon_data: `${folder}/mon`, osd_data: `${folder}/osd`, rgw_data: `${folder}/rgw`,
    // Without it, answers in two pieces wait 40 ms for the acknowledgement of the first.
    rgw_frontends: `beast endpoint=127.0.0.1:${gateway} tcp_nodelay=1`, rgw_enable_apis: 's3', rgw_thread_pool_size: 64,
  }
  return ['[global]', ...Object.entries(settings).map(([name, value]) => `${name} = ${String(value)}`), ''].join('\n')
}
