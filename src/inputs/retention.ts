import type { RetentionPolicy } from '../repository/retention.ts'
import { parseDuration } from './duration.ts'
import { nearest } from '../nearest.ts'

const COUNTS = ['last', 'daily', 'weekly', 'monthly', 'yearly', 'drilled'] as const

/** Parses `last=3 daily=7 within=30d`, `30d` or `none`; throws what `misread` makes of the problem. */
export function parseRetention(text: string, misread: (problem: string) => Error): RetentionPolicy {
  const words = text.split(/[\s,]+/).filter((word) => word !== '')
  if (words.length === 0) throw misread('there is no rule in it')
  if (words.length === 1 && words[0] === 'none') return {}
  const policy: RetentionPolicy = {}
  for (const word of words) {
    const { rule, value } = parseRule(word, misread)
    if (policy[rule] !== undefined) throw misread(`${rule} is given twice`)
    policy[rule] = value
  }
  return policy
}

/** The text that `parseRetention` reads as this policy. */
export function retentionText({ within, ...counts }: RetentionPolicy): string {
  const rules = Object.entries(counts).map(([rule, count]) => `${rule}=${count}`)
  const age = within === undefined ? [] : [`within=${within % DAY === 0 ? `${within / DAY}d` : `${within / (DAY / 24)}h`}`]
  return [...rules, ...age].join(' ') || 'none'
}

const DAY = 86_400_000

function parseRule(word: string, misread: (problem: string) => Error): { rule: keyof RetentionPolicy; value: number } {
  const [, name, amount = ''] = /^([a-z]+)=(.*)$/i.exec(word) ?? []
  // Months are left out: m is a minute elsewhere, and a policy misunderstood deletes backups.
  const age = parseDuration(name === 'within' ? amount : word, 'hdwy')
  if (name === undefined || name === 'within') {
    if (age) return { rule: 'within', value: age }
    if (name) throw misread(`${JSON.stringify(word)} does not give an age like 30d`)
    const near = /^[1-9]\d{0,3}$/.test(word) ? `; did you mean ${word}d (${word} days) or last=${word}?` : ''
    throw misread(`${JSON.stringify(word)} is not a rule${near}`)
  }
  const rule = COUNTS.find((count) => count === name)
  if (rule === undefined) {
    const near = nearest(name, [...COUNTS, 'within'])
    throw misread(`${JSON.stringify(word)} is not a rule${near ? `; did you mean ${near}=?` : ''}`)
  }
  if (!/^[1-9]\d{0,3}$/.test(amount)) throw misread(`${JSON.stringify(word)} does not give a number from 1 to 9999`)
  return { rule, value: Number(amount) }
}
