import type { EventEmitter } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { jest } from '@jest/globals'
import { sheltered, withEnvironment } from '../../src/process/lifecycle.ts'
import { quiet } from '../support/quiet.ts'

const temporaryRoot = mkdtempSync(path.join(os.tmpdir(), 'lifecycle-'))
afterAll(() => rmSync(temporaryRoot, { recursive: true }))
afterEach(() => jest.useRealTimers())

test('a run that does not end within 6 s of a signal is stopped, and says what it may leave behind', async () => {
  jest.useFakeTimers()
  const warnings: string[] = []
  let ended: unknown
  const report = { ...quiet, warning: (message: string) => void warnings.push(message) }
  void withEnvironment({ variables: {}, report, temporaryRoot }, async ({ signal }) => {
    process.emit('SIGTERM', 'SIGTERM')
    expect(signal.aborted).toBe(true)
    await new Promise(() => undefined)
  }).catch((error: unknown) => (ended = error))
  await jest.advanceTimersByTimeAsync(5999)
  expect([ended, warnings]).toEqual([undefined, []])
  await jest.advanceTimersByTimeAsync(1)
  expect(ended).toMatchObject({ message: 'interrupted', status: 130 })
  expect(warnings).toEqual([expect.stringContaining('operations that did not end within 6 s; temporary files of them may be left in the store')])
})

const run = (work: () => Promise<string>): Promise<string> => withEnvironment({ variables: {}, report: quiet, temporaryRoot }, work)

test('an error that nobody catches breaks a run off, but not while it only tells how it ended', async () => {
  const told: unknown[] = []
  const emitter: EventEmitter = process
  const stray = (): void => void emitter.emit('uncaughtException', new Error('stray'))
  await expect(run(async () => {
    await sheltered(async () => stray(), (error) => told.push(error))
    return 'done'
  })).resolves.toBe('done')
  expect(told).toEqual([new Error('stray')])
  await expect(run(async () => {
    await sheltered(async () => undefined, () => undefined)
    stray()
    return new Promise(() => undefined)
  })).rejects.toThrow('stray')
})
