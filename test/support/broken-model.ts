// node test/support/broken-model.ts grace: tries seeds until the model notices that this part of the algorithm is left out, and prints what
// it noticed.
import { z } from 'zod'

await import('./in-process.ts')
const { simulate } = await import('./backup-model.ts')
const without = z.enum(['grace', 'references', 'missing']).parse(process.argv[2])

for (let seed = 1; seed <= 60 && process.exitCode === undefined; seed++) {
  try {
    await simulate({ seed, steps: 3000, without: { [without]: true } })
  } catch (error) {
    console.log(String(error).slice(0, 1000))
    process.exitCode = 0
  }
}
