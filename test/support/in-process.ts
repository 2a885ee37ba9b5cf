// Imported before a model whose steps must be cheap: modules of src that work in threads or over a network are replaced by others that do
// the same in this process. All modules that are imported afterwards get these.
import { registerHooks } from 'node:module'

const root = new URL('../../', import.meta.url)
const [sealing, github] = ['test/support/plain-sealing.ts', 'test/support/github/in-process.ts']

const replacements = new Map(
  Object.entries({
    'src/repository/sealing/threads.ts': sealing,
    'src/repository/sealing/age.ts': sealing,
    'src/net/http.ts': github,
    'src/stores/artifact/upload.ts': github,
  }).map(([from, to]) => [new URL(from, root).href, new URL(to, root).href]),
)

registerHooks({
  resolve(specifier, context, next) {
    const found = next(specifier, context)
    const by = replacements.get(found.url)
    return by === undefined || by === context.parentURL ? found : { ...found, url: by }
  },
})
