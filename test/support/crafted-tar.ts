import { buffer } from 'node:stream/consumers'
import { type Header, pack } from 'tar-stream'
import { encodeFile } from '../../src/sources/files/file-list.ts'
import { backUp } from './backup.ts'

export type Member = Partial<Header> & { name: string; content?: string }

/** A tar that no honest program makes. */
export async function crafted(...members: Member[]): Promise<Buffer> {
  const made = pack()
  for (const { content = '', ...header } of members) made.entry(header, content)
  made.finalize()
  return buffer(made)
}

export const top = { name: './', type: 'directory' } as const
export const evil = (name: string) => ({ name, type: 'file', content: 'evil' }) as const
export const link = (name: string, linkname: string) => ({ name, type: 'symlink', linkname }) as const
export const hard = (name: string, linkname: string) => ({ name, type: 'link', linkname }) as const
export const folderNamed = (name: string) => ({ name, type: 'directory' }) as const

const TYPES: Readonly<Record<string, string>> = { file: 'f', directory: 'd', symlink: 'l', link: 'h', fifo: 'p' }

/** A snapshot of a volume `data` with such an archive, by somebody who has the key: all that is recorded of it agrees with it. */
export async function backUpCrafted(store: string, encryptionKey: string, members: readonly Member[]): Promise<void> {
  const list = members.map(({ name, type = 'file', linkname = '', content = '' }) => {
    const path = name.replace(/^\.\//, '').replace(/\/$/, '')
    return encodeFile({ type: TYPES[type] ?? 'f', mode: '644', uid: 0, gid: 0, size: content.length, mtime: '0', path: Buffer.from(path).toString('latin1'), target: linkname.replace(/^\.\//, '') })
  })
  const files = members.filter(({ type = 'file' }) => TYPES[type] === undefined || type === 'file').length
  const bytes = members.reduce((sum, { content = '' }) => sum + content.length, 0)
  await backUp({
    folder: store,
    encryptionKey,
    set: 'default',
    sources: { data: [{ name: 'data.00001.tar', format: 'tar', bytes: await crafted(...members) }, { name: 'data.list', format: 'tar-list', bytes: Buffer.from(list.join(''), 'latin1') }] },
    kind: {
      kind: 'directory',
      facts: {
        where: '/srv/data', entries: members.length, files, bytes, links: 1, skipped: { sockets: 0, devices: 0, mounted: 0 }, changed: [], unreadable: [],
        segments: [{ entries: members.length, digest: '' }],
      },
    },
  })
}
