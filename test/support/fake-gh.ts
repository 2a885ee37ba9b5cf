import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'

/** A program `gh` that keeps secrets and records what it is given, on a PATH of its own. */
export class FakeGh {
  readonly folder: string
  readonly bin: string

  /** `state`: whether it is logged in. */
  constructor(folder: string, state: 'ready' | 'logged out' = 'ready') {
    this.folder = path.join(folder, 'gh')
    this.bin = path.join(this.folder, 'bin')
    mkdirSync(path.join(this.folder, 'secrets'), { recursive: true })
    mkdirSync(this.bin)
    writeFileSync(path.join(this.bin, 'gh'), script(this.folder, state), { mode: 0o755 })
  }

  /** The arguments of each call, a line each. */
  calls(): string[] {
    const log = path.join(this.folder, 'calls')
    return existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : []
  }

  /** The standard input of the call that set the secret; undefined if there was none. */
  secret(name: string): string | undefined {
    const file = path.join(this.folder, 'secrets', name)
    return existsSync(file) ? readFileSync(file, 'utf8') : undefined
  }

  /** Everything in the environments that it was started with. */
  environments(): string {
    return readFileSync(path.join(this.folder, 'environments'), 'utf8')
  }

  /** From now on the workflow is at GitHub. */
  pushed(): void {
    writeFileSync(path.join(this.folder, 'pushed'), '')
  }
}

const script = (folder: string, state: string): string => `#!/bin/sh
cd '${folder}'
echo "$*" >> calls
env >> environments
case "$1 $2" in
  '--version ') echo 'gh version 2.83.0' ;;
  'auth status') [ '${state}' = ready ] || { echo 'You are not logged into any GitHub hosts.' >&2; exit 1; } ;;
  'repo view') echo octo/shop ;;
  'secret list') for one in secrets/*; do [ ! -f "$one" ] || printf '%s\\t2026-11-22T00:00:00Z\\n' "\${one#secrets/}"; done ;;
  'secret set') cat > "secrets/$3" ;;
  'run list') [ -f pushed ] || { echo 'could not find any workflows named lifeboat-backup.yml' >&2; exit 1; }; cat runs 2>/dev/null; true ;;
  'workflow run') echo 'queued' > runs ;;
  *) echo "unknown command: $*" >&2; exit 1 ;;
esac
`
