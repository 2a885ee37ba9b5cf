import { marked } from '../../src/marks.ts'
import { requireConfirmed } from '../../src/commands/restore/confirm.ts'
import { thrownBy } from '../support/thrown.ts'

const shop = { noun: 'database', name: 'shop' } as const
const folder = { noun: 'volume', name: '/srv/uploads' } as const

const confirmed = (given: string[] | undefined, answers?: string[], targets: (typeof shop | typeof folder)[] = [shop]) => {
  const asked: string[] = []
  const ask = async (question: string): Promise<string> => answers![asked.push(question) - 1]!
  return { asked, done: requireConfirmed(targets, given, 'replaces', answers === undefined ? {} : { ask }) }
}

test('the name that is given, or typed at the terminal, has to be that of the target', async () => {
  await confirmed(['shop']).done
  const typed = confirmed(undefined, [' shop\n'])
  await typed.done
  expect(typed.asked).toEqual(['This replaces the database shop. Type its name to go on: '])
  // A name that is given is not asked for.
  expect(confirmed(['shop'], ['other']).asked).toEqual([])
  await confirmed([], undefined, []).done
})

test('of several targets, each is confirmed by its own name', async () => {
  const both = [shop, folder]
  await confirmed(['/srv/uploads', 'shop'], undefined, both).done
  const typed = confirmed(undefined, ['shop', '/srv/uploads'], both)
  await typed.done
  expect(typed.asked).toEqual([
    'This replaces the database shop. Type its name to go on: ', 'This replaces the data in /srv/uploads. Type /srv/uploads to go on: ',
  ])
  expect((await thrownBy(confirmed(['shop'], undefined, both).done)).message).toBe(
    'this replaces the data in /srv/uploads, and another name was given to confirm it: nothing was changed')
  const none = await thrownBy(confirmed(undefined, undefined, both).done)
  expect(none).toMatchObject({ message: 'this replaces the database shop, the data in /srv/uploads, which nobody has confirmed', status: 2 })
  const hint = marked`Check the targets. To go on, give ‹confirm: shop› and ‹confirm: /srv/uploads› (in a workflow one name a line).`
  expect(none.hint).toBe(hint)
  expect((await thrownBy(confirmed(['shop'], undefined, both).done)).hint).toBe(hint)
  const stopped = confirmed(undefined, ['no', '/srv/uploads'], both)
  expect(await thrownBy(stopped.done)).toMatchObject({ status: 2 })
  expect(stopped.asked).toHaveLength(1)
})

test('anything else is refused before anything is done', async () => {
  expect(await thrownBy(confirmed(undefined).done)).toMatchObject({ status: 2, message: 'this replaces the database shop, which nobody has confirmed' })
  for (const { done } of [confirmed(['Shop']), confirmed(undefined, ['']), confirmed(undefined, ['yes']), confirmed([], ['shop'])])
    expect(await thrownBy(done)).toMatchObject({ status: 2, message: expect.stringContaining('another name was given') })
})
