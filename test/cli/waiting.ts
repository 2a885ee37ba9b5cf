// Work that stages a file and never ends, in a process of its own: what signals do to it is for the test beside it to see.
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { LifeboatError } from '../../src/error.ts'
import { withEnvironment } from '../../src/process/lifecycle.ts'

const [temporaryRoot = '', manners = ''] = process.argv.slice(2)
const report = { info: () => undefined, warning: () => undefined, progress: () => undefined, mask: () => undefined }
const idle = setInterval(() => undefined, 1000)
try {
  await withEnvironment({ variables: {}, report, temporaryRoot }, async ({ temporary, signal }) => {
    mkdirSync(temporary)
    writeFileSync(path.join(temporary, 'staged'), 'x')
    await new Promise((_, reject) => {
      signal.addEventListener('abort', () => {
        console.log('aborted')
        if (manners === 'stops') reject(new Error('a child was killed'))
      })
      process.on('SIGUSR2', () => {
        throw new Error('from nowhere')
      })
      console.log('waiting')
    })
  })
} catch (error) {
  console.log(error instanceof Error ? error.message : error)
  process.exitCode = error instanceof LifeboatError ? error.status : 1
}
clearInterval(idle)
