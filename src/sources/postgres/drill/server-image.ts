import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { SourceContext } from '../../source-kind.ts'
import { runChild } from '../../../process/child.ts'
import { isAbandoned } from '../../../process/staging.ts'
import { engineOf, type Image } from '../client-download/image.ts'
import type { ServerPrograms } from './server-programs.ts'

/** Labels of the containers: their purpose, and the staging folder of the run, which tells whose they are. */
const PURPOSE = 'io.github.lifeboat=scratch'
const RUN = 'io.github.lifeboat.run'
/** For commands of docker that only look or remove, in milliseconds. */
const LIMIT = 60_000

/**
 * The programs in an image, each run in a container without a network that sees the folder of the cluster and nothing else of the machine.
 * It ends with its standard input, so also if this process is killed; what a killed run left all the same is removed first.
 */
export async function imagePrograms(image: Image, { variables, temporary }: SourceContext): Promise<ServerPrograms> {
  const environment = engineOf(variables)
  const docker = async (...parameters: string[]): Promise<string> => {
    const { stdout } = await runChild('docker', parameters, { environment, signal: AbortSignal.timeout(LIMIT) })
    return stdout
  }
  await removeLeft(docker)
  const run = path.basename(temporary)
  return {
    name: `the image ${image.name}`,
    image: image.exact,
    async prepare(folder, user) {
      const name = `lifeboat-scratch-${randomBytes(6).toString('hex')}`
      const id = user ?? process.getuid?.() ?? 0
      // initdb looks its user up.
      const users = path.join(folder, 'passwd')
      await writeFile(users, `postgres:x:${id}:${id}::${folder}:/bin/sh\n`, { mode: 0o644 })
      const options = [
        '--rm', '--interactive', '--pull=never', '--network=none', '--log-driver=none', '--read-only', '--tmpfs=/tmp', '--shm-size=512m',
        '--cap-drop=ALL', '--security-opt=no-new-privileges', `--user=${id}:${user ?? process.getgid?.() ?? id}`, '--env=LC_ALL=C',
        `--mount=type=bind,"source=${folder}","target=${folder}"`,
        `--mount=type=bind,"source=${users}",target=/etc/passwd,readonly`, `--workdir=${folder}`,
        `--label=${PURPOSE}`, `--label=${RUN}=${run}`,
      ]
      let started = 0
      return {
        directory: '',
        line: ([program, ...rest]) =>
          ['docker', 'run', ...options, `--name=${name}-${++started}`, `--entrypoint=${program}`, image.exact, ...rest],
        environment,
        user: undefined,
        release: async () => {
          for (let number = 1; number <= started; number++) await docker('rm', '--force', '--volumes', `${name}-${number}`).catch(() => '')
        },
      }
    },
  }
}

/** Removes the containers of runs that were killed. */
async function removeLeft(docker: (...parameters: string[]) => Promise<string>): Promise<void> {
  const listed = await docker('ps', '--all', `--filter=label=${PURPOSE}`, `--format={{.ID}} {{.Label "${RUN}"}}`).catch(() => '')
  for (const line of listed.split('\n')) {
    const [id, run = ''] = line.split(' ')
    if (id && isAbandoned(run)) await docker('rm', '--force', '--volumes', id).catch(() => '')
  }
}
