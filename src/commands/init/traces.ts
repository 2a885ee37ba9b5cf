import { readdirSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { tracesOfDatabases } from '../../sources/known-kinds.ts'

/** Signs of databases in the files of a project. */
export interface Traces {
  /** Variables with a URL. `value` is a secret and never shown. */
  variables: { file: string; name: string; value: string }[]
  /** Services of compose files: `db (postgres:16)`. */
  services: { file: string; service: string; image: string }[]
}

const ENVIRONMENT_FILE = /^\.env(?:\.(?!example$|sample$|template$)[\w-]+)*$/
const COMPOSE_FILE = /^(?:docker-)?compose(?:\.[\w-]+)*\.ya?ml$/
const LARGEST = 1_000_000

/** Looks at the files at the top of a project that programs of every language use. */
export function tracesIn(folder: string): Traces {
  const files = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile()).map(({ name }) => name).toSorted()
  const read = (pattern: RegExp): { file: string; text: string }[] => files
    .filter((file) => pattern.test(file) && statSync(path.join(folder, file)).size <= LARGEST)
    .map((file) => ({ file, text: readFileSync(path.join(folder, file), 'utf8') }))
  return {
    variables: read(ENVIRONMENT_FILE).flatMap(({ file, text }) => variablesIn(text).map((one) => ({ file, ...one }))),
    services: read(COMPOSE_FILE).flatMap(({ file, text }) => servicesIn(text).map((one) => ({ file, ...one }))),
  }
}

/** The variables in a text of `NAME=value` lines whose value is the URL of a database. */
export function variablesIn(text: string): { name: string; value: string }[] {
  const kinds = tracesOfDatabases()
  return [...text.matchAll(/^[ \t]*(?:export[ \t]+)?([A-Za-z_]\w*)[ \t]*=[ \t]*(?:"([^"\n]*)"|'([^'\n]*)'|(.*))/gm)]
    .map(([, name = '', double, single, plain = '']) => ({ name, value: double ?? single ?? plain.replace(/[ \t]#.*/, '').trim() }))
    .filter(({ name, value }) => kinds.some(({ variable, url }) => variable.test(name) && url.test(value)))
}

/** The services with an image of a database server, as far as lines tell. */
export function servicesIn(text: string): { service: string; image: string }[] {
  const images = tracesOfDatabases().map(({ image }) => image)
  const found: { service: string; image: string }[] = []
  let service = ''
  for (const line of text.split('\n')) {
    service = /^(?: {2}| {4}|\t)([\w.-]+):\s*(?:#.*)?$/.exec(line)?.[1] ?? service
    const image = /^\s+image:\s*["']?([\w./:@-]+)/.exec(line)?.[1]
    if (image !== undefined && images.some((pattern) => pattern.test(image))) found.push({ service, image })
  }
  return found
}

/** The signs in words; `''` if there are none. */
export function tracesText({ variables, services }: Traces): string {
  return [
    ...variables.map(({ file, name }) => `${file} has ${name}`),
    ...services.map(({ file, service, image }) => `${file} has the service ${service} (${image})`),
  ].join('; ')
}
