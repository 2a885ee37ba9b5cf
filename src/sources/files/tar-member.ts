import { BadTar } from './tar-headers.ts'

/** The headers of one member of a POSIX tar (IEEE 1003.1, "pax Interchange Format"). Texts are latin1: one character a byte. */
export interface TarMember {
  name: string
  /** `0` file, `1` hard link, `5` directory. */
  type: string
  size: number
  /** Octal permissions. */
  mode: string
  uid: string
  gid: string
  /** Seconds since 1970, with decimals. */
  mtime: string
  /** The target of a link. */
  linked: string
  /** More records for the extended header. */
  records?: Readonly<Record<string, string>>
}

/** The bytes before the content of a member: an extended header if the plain one is not enough, and the plain one. */
export function memberHead(member: TarMember): Buffer {
  const { name, size, uid, gid, mtime, linked, records = {} } = member
  const attributes = {
    ...(!plain(name) && { path: name }), ...(!plain(linked) && { linkpath: linked }), ...(mtime.includes('.') && { mtime }),
    ...(Number(uid) > MOST && { uid }), ...(Number(gid) > MOST && { gid }), ...(size > MOST_BYTES && { size: String(size) }), ...records,
  }
  const extended = Object.entries(attributes).map(([key, value]) => record(key, value)).join('')
  return Buffer.concat(extended === '' ? [header(member)] : [...extendedHeader(extended), header(member)])
}

/**
 * The headers of a member with one more record, which counts more than earlier ones of its keyword (IEEE 1003.1, "pax Extended Header").
 * `head`: an extended header and its padded content, if there is one, and the plain header.
 */
export function withRecord(head: readonly Buffer[], keyword: string, value: string): Buffer[] {
  const [first, content] = head.length > 1 ? head : []
  const size = first ? Number.parseInt(first.toString('latin1', 124, 136), 8) : 0
  if (Number.isNaN(size)) throw new BadTar('the tar has an extended header of a size that no volume has')
  const records = content ? content.toString('latin1', 0, size) : ''
  return [...extendedHeader(records + record(keyword, value)), head.at(-1)!]
}

function extendedHeader(records: string): Buffer[] {
  const content = Buffer.alloc(paddedSize(records.length))
  content.write(records, 'latin1')
  const size = records.length
  return [header({ name: './PaxHeaders/link', type: 'x', size, mode: '644', uid: '0', gid: '0', mtime: '0', linked: '' }), content]
}

/** Size of content with its padding. */
export function paddedSize(size: number): number {
  return Math.ceil(size / 512) * 512
}

/** The end of an archive. */
export const TAR_END = Buffer.alloc(1024)

/** The largest numbers that seven and eleven octal digits hold. */
const MOST = 0o7777777
const MOST_BYTES = 0o77777777777

function plain(name: string): boolean {
  return name.length <= 100 && /^[\u0020-\u007e]*$/.test(name)
}

/** A record, with its own length in it. */
function record(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`
  let length = rest.length + 1
  while (`${length}${rest}`.length !== length) length = `${length}${rest}`.length
  return `${length}${rest}`
}

function header(of: TarMember): Buffer {
  const block = Buffer.alloc(512)
  const octal = (value: number, start: number, digits: number): void =>
    void block.write(
      `${Math.min(value, 8 ** digits - 1)
        .toString(8)
        .padStart(digits, '0')}\0`,
      start,
      'latin1',
    )
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
