import { metaOf, pathOf } from './scan.ts'
import type { HardLink } from './segments.ts'

/** A tar of hard links alone (IEEE 1003.1, type `1`), whose files are in other archives. */
export function* linkArchive(links: readonly HardLink[]): Generator<Buffer, void, void> {
  for (const { entry, target } of links) {
    const { mode, uid, gid, mtime } = metaOf(entry)
    const [name, linked] = [`./${pathOf(entry)}`, `./${target}`]
    const attributes = { ...(!plain(name) && { path: name }), ...(!plain(linked) && { linkpath: linked }), ...(mtime.includes('.') && { mtime }), ...(Number(uid) > MOST && { uid }), ...(Number(gid) > MOST && { gid }) }
    const extended = Object.entries(attributes).map(([key, value]) => record(key, value)).join('')
    if (extended !== '') {
      yield header({ name: './PaxHeaders/link', type: 'x', size: extended.length, mode: '644', uid: '0', gid: '0', mtime: '0', linked: '' })
      const content = Buffer.alloc(Math.ceil(extended.length / 512) * 512)
      content.write(extended, 'latin1')
      yield content
    }
    yield header({ name, type: '1', size: 0, mode, uid, gid, mtime, linked })
  }
  yield Buffer.alloc(1024)
}

/** The largest number that seven octal digits hold. */
const MOST = 0o7777777

function plain(name: string): boolean {
  return name.length <= 100 && /^[\u0020-\u007e]*$/.test(name)
}

/** Its length is part of itself. */
function record(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`
  let length = rest.length + 1
  while (`${length}${rest}`.length !== length) length = `${length}${rest}`.length
  return `${length}${rest}`
}

function header(of: { name: string; type: string; size: number; mode: string; uid: string; gid: string; mtime: string; linked: string }): Buffer {
  const block = Buffer.alloc(512)
  const octal = (value: number, start: number, digits: number): void => void block.write(`${Math.min(value, 8 ** digits - 1).toString(8).padStart(digits, '0')}\0`, start, 'latin1')
  block.write(of.name.slice(0, 100), 0, 'latin1')
  octal(Number.parseInt(of.mode, 8), 100, 7)
  octal(Number(of.uid) > MOST ? 0 : Number(of.uid), 108, 7)
  octal(Number(of.gid) > MOST ? 0 : Number(of.gid), 116, 7)
  octal(of.size, 124, 11)
  octal(Math.max(0, Math.floor(Number(of.mtime))), 136, 11)
  block.write('        ', 148, 'latin1')
  block.write(of.type, 156, 'latin1')
  block.write(of.linked.slice(0, 100), 157, 'latin1')
  block.write('ustar\u000000', 257, 'latin1')
  const sum = block.reduce((sum, byte) => sum + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return block
}
