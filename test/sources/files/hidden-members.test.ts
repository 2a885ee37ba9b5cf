import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Gate } from '../../../src/sources/files/gate.ts'
import { BadTar } from '../../../src/sources/files/tar-headers.ts'
import { TAR_END } from '../../../src/sources/files/tar-member.ts'

/** One header; `fields` are put into it by their offsets before its checksum is. */
function header(name: string, type: string, size = 0, fields: Readonly<Record<number, string>> = {}): Buffer {
  const block = Buffer.alloc(512)
  const plain = { 0: name, 100: '0000755\0', 108: '0000000\0', 116: '0000000\0', 124: `${size.toString(8).padStart(11, '0')}\0`, 136: '00000000000\0', 148: '        ', 156: type, 257: 'ustar\x0000' }
  for (const [start, text] of Object.entries({ ...plain, ...fields })) block.write(text, Number(start), 'latin1')
  const sum = block.reduce((sum, byte) => sum + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return block
}

/** An extended header of these records; each gets its length in front. */
function extended(...records: string[]): Buffer {
  const text = records.map((record) => `${String(record.length + 4).padStart(3, '0')}${record}\n`).join('')
  return Buffer.concat([header('./PaxHeaders/x', 'x', text.length), Buffer.from(text.padEnd(Math.ceil(text.length / 512) * 512, '\0'), 'latin1')])
}

function binarySum(block: Buffer): Buffer {
  const sum = Number.parseInt(block.toString('latin1', 148, 154), 8)
  block.fill(0, 148, 156)
  block[148] = 0x80
  block.writeUInt16BE(sum, 154)
  return block
}

const top = header('./', '5')
const evil = header('./evil', '0')
const sparse = (...more: string[]): Buffer => extended(...more.map((record) => ` GNU.sparse.${record}`))

test.each<[string, Buffer[]]>([
  ['a file named like a folder, which tar takes no content from', [header('./d/', '0', 512), evil]],
  ['a record with two blanks', [extended('  path=./evil'), header('./good', '0')]],
  ['a record with a tab', [extended(' \tpath=./evil'), header('./good', '0')]],
  ['a record that tar gives up at', [extended(' a\0b=c', ' path=./good'), evil]],
  ['a size that begins with a zero byte', [header('./a', '0', 0, { 124: '\x0000000001000' }), header('./b', '0', 1024), evil, evil]],
  ['a size that begins with a blank of no ASCII', [header('./a', '0', 0, { 124: '\xa00000001000\0' }), evil]],
  ['a size of blanks', [header('./a', '0', 0, { 124: ' '.repeat(12) }), evil]],
  ['a checksum in binary', [binarySum(header('./a', '0', 512)), evil]],
  ['the size of a sparse file that is none', [sparse('size=0'), header('./a', '0', 512), evil]],
  ['the real size of a sparse file that is none', [sparse('realsize=0'), header('./a', '0', 512), evil]],
  ['a sparse folder', [sparse('major=1', 'minor=0', 'realsize=0'), header('./d', '5', 512), header('./0\n', '0', 512), evil]],
  ['a sparse file in a header of another format', [sparse('size=0', 'numblocks=1', 'offset=0', 'numbytes=512'), header('./a', '0', 512, { 257: 'ustar  \0' }), evil]],
  ['a sparse file whose map is in its content', [sparse('major=1', 'minor=0', 'realsize=1024'), header('./a', '0', 512), Buffer.from('1\n0\n512\n'.padEnd(512, '\0')), header('./b', '0', 512), evil]],
  ['a sparse file whose map takes more than there is', [sparse('size=1024', 'numblocks=1', 'offset=0', 'numbytes=512'), header('./a', '0'), header('./b', '0', 512), evil]],
])('a member that tar would find behind %s is refused', (behind, members) => {
  const archive = Buffer.concat([top, ...members, TAR_END])
  const target = mkdtempSync(path.join(tmpdir(), 'lifeboat-hidden-'))
  try {
    spawnSync('tar', ['--extract', '--ignore-zeros', '--directory', target, '--file=-'], { input: archive })
    expect([behind, readdirSync(target)]).toEqual([behind, expect.arrayContaining(['evil'])])
  } finally {
    rmSync(target, { recursive: true })
  }
  expect(() => new Gate().push(archive)).toThrow(BadTar)
})
