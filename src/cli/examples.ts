import type { Command } from '../commands/all.ts'

/** Examples in the help of each command, the commonest first. Secrets and the destination are in variables there. */
export const examples: Readonly<Record<Command, readonly string[]>> = {
  init: ['init'],
  backup: ['backup -s production', "backup -s production --volumes uploads=/srv/app/uploads --retention 'daily=7 weekly=4'"],
  restore: [
    'restore -s production -i latest -m create',
    'restore -s production -i 2026-11-20 --all -m create --map uploads=./uploads',
    'restore -s production -m swap --confirm app',
  ],
  verify: ['verify -s production --level read', 'verify -s production --level drill'],
  check: ['check --max-age 26h'],
  list: ['list', 'list -s production --since 30d'],
  doctor: ['doctor'],
  copy: ['copy -f file:/mnt/backups -d s3://backups/copy?region=eu-central-1'],
  prune: ["prune -s production --retention 'daily=7 weekly=4 monthly=6' -n"],
  plan: ["plan --databases '*' --max-jobs 6"],
  verdict: ['verdict --plan "$PLAN"'],
  show: ['show latest', 'show 20261120 --files'],
  diff: ['diff -s production', 'diff 2d latest -s production'],
  extract: ['extract latest uploads photos/cat.jpg > cat.jpg', 'extract latest app --table public.orders > orders.csv'],
  pin: ['pin latest -s production'],
  unpin: ['unpin 20261120T020000Z-5f3a9c1e'],
  tag: ['tag latest before-2.0'],
  forget: ['forget 20261120T020000Z-5f3a9c1e'],
  stats: ['stats'],
  'config check': ['config check'],
  'key new': ['key new'],
  'key write': ['key write'],
  'key list': ['key list'],
  'key add': ['key add'],
  'key remove': ['key remove'],
}
