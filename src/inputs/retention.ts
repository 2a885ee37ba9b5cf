import type { RetentionPolicy } from '../repository/retention.ts'
import { parseDuration } from './duration.ts'
import { nearest } from '../nearest.ts'

const COUNTS = ['last', 'daily', 'weekly', 'monthly', 'yearly', 'drilled'] as const

/** Parses `last=3 daily=7 within=30d`, `30d` or `none`; throws what `misread` makes of all its problems. */
export function parseRetention(text: string, misread: (problem: string) => Error): RetentionPolicy {
  const words = text.split(/[\s,]+/).filter((word) => word !== '')
  if (words.length === 0) throw misread('there is no rule in it')
  if (words.length === 1 && words[0] === 'none') return {}
  const policy: RetentionPolicy = {}
  const problems: string[] = []
  for (const word of words) {
    const found = parseRule(word)
    if ('problem' in found) problems.push(found.problem)
    else if (policy[found.rule] === undefined) policy[found.rule] = found.value
    else problems.push(`${found.rule} is given twice`)
  }
  if (problems.length > 0) throw misread([...new Set(problems)].join('; '))
  return policy
}

/** The text that `parseRetention` reads as this policy. */
export function retentionText({ within, ...counts }: RetentionPolicy): string {
  const rules = Object.entries(counts).map(([rule, count]) => `${rule}=${count}`)
  const age = within === undefined ? [] : [`within=${within % DAY === 0 ? `${within / DAY}d` : `${within / (DAY / 24)}h`}`]
  return [...rules, ...age].join(' ') || 'none'
}

const DAY = 86_400_000

function parseRule(word: string): { rule: keyof RetentionPolicy; value: number } | { problem: string } {
  const [, name, amount = ''] = /^([a-z-]+)=(.*)$/i.exec(word) ?? []
  // Months are left out: m is a minute elsewhere, and a policy misunderstood deletes backups.
  const age = parseDuration(name === 'within' ? amount : word, 'hdwy')
  const quoted = JSON.stringify(word)
  if (name === undefined || name === 'within') {
    if (age) return { rule: 'within', value: age }
    if (name) return { problem: `${quoted} does not give an age like 30d` }
    const near = /^[1-9]\d{0,3}$/.test(word) ? `; did you mean ${word}d (${word} days) or last=${word}?` : ''
    return { problem: `${quoted} is not a rule${near}` }
  }
  const rule = COUNTS.find((count) => count === name)
  if (rule === undefined) {
    // restic writes keep-daily.
    const near = nearest(name.replace(/^keep-/, ''), [...COUNTS, 'within'])
    return { problem: `${quoted} is not a rule${near ? `; did you mean ${near}=?` : ''}` }
  }
  return /^[1-9]\d{0,3}$/.test(amount) ? { rule, value: Number(amount) } : { problem: `${quoted} does not give a number from 1 to 9999` }
}
