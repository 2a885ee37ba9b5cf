import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

/** The folder that the restores of each test stage in, in which nothing may be left; and what these were told. */
export function stagingOfEachTest(): { readonly temporary: string; readonly told: string[] } {
  const told: string[] = []
  let temporary: string
  beforeEach(() => {
    told.splice(0)
    temporary = mkdtempSync(path.join(tmpdir(), 'lifeboat-staging-'))
  })
  afterEach(() => {
    const left = readdirSync(temporary)
    rmSync(temporary, { recursive: true })
    expect(left).toEqual([])
  })
  return {
    told,
    get temporary() {
      return temporary
    },
  }
}

/** An archive that nobody reads as a whole: all of it comes from its blocks. */
export async function* neverRead(): AsyncGenerator<Buffer> {
  yield await Promise.reject(new Error('the whole archive was read'))
}
