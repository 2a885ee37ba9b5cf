import { LifeboatError } from '../src/error.ts'
test('x', () => { expect(new LifeboatError('a').status).toBe(1) })
