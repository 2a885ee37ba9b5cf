import { LifeboatError } from '../../src/error.ts'
import { Transient } from '../../src/net/retry.ts'
import { readMultistatus } from '../../src/stores/webdav/multistatus.ts'

const self = new URL('https://files.example/dav/')

function read(...responses: string[]) {
  const body = `<?xml version="1.0"?><D:multistatus xmlns:D="DAV:">${responses.map((inside) => `<D:response>${inside}</D:response>`).join('')}</D:multistatus>`
  return readMultistatus(Buffer.from(body), self)
}

const good = '<D:href>/dav/good</D:href><D:propstat><D:prop><D:resourcetype/><D:getcontentlength>3</D:getcontentlength></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>'
const properties = (status: string): string => `<D:href>/dav/bad</D:href><D:propstat><D:prop><D:resourcetype/><D:getcontentlength/></D:prop><D:status>HTTP/1.1 ${status}</D:status></D:propstat>`

test.each([['its properties', properties('500 Internal Server Error')], ['all of it', '<D:href>/dav/bad</D:href><D:status>HTTP/1.1 503 Service Unavailable</D:status>']])(
  'a server in trouble with %s is asked again: what it cannot describe is there all the same', (_, bad) => {
    expect(() => read(good, bad)).toThrow(Transient)
  },
)

test('a resource that is gone is left out, and a property that the server does not have says nothing', () => {
  expect(read(good, properties('404 Not Found'), '<D:href>/dav/gone</D:href><D:status>HTTP/1.1 404 Not Found</D:status>')).toMatchObject([{ name: 'good', size: 3 }])
  const quota = '<D:href>/dav/</D:href><D:propstat><D:prop><D:quota-available-bytes/></D:prop><D:status>HTTP/1.1 500 Internal Server Error</D:status></D:propstat>'
  expect(read(quota)).toEqual([])
})

test('a list that breaks off, or goes on after its end, is asked for again; anything else is none', () => {
  for (const body of ['<D:multistatus xmlns:D="DAV:"><D:response>', '<D:multistatus xmlns:D="DAV:"></D:multistatus>oops']) {
    expect(() => readMultistatus(Buffer.from(body), self)).toThrow(Transient)
  }
  expect(readMultistatus(Buffer.from('<multistatus xmlns="DAV:"/>\n'), self)).toEqual([])
  for (const body of ['', '<html></html>']) expect(() => readMultistatus(Buffer.from(body), self)).toThrow(LifeboatError)
})
