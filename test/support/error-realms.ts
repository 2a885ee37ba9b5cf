// Jest runs tests in a realm of their own, where an error that Node itself made (ENOENT of node:fs, say) is no `instanceof Error`
// as it is everywhere else. This makes it one again; subclasses are compared as ever.
import { types } from 'node:util'

const ordinary = Function.prototype[Symbol.hasInstance]

Object.defineProperty(Error, Symbol.hasInstance, {
  value(this: ErrorConstructor, thing: unknown): boolean {
    return this === Error ? types.isNativeError(thing) || ordinary.call(Error, thing) : ordinary.call(this, thing)
  },
})
