import { replaces, requireConfirmed } from '../../src/commands/restore/confirm.ts'
import { thrownBy } from '../support/thrown.ts'

const confirmed = (given: string | undefined, answer?: string) => {
  const asked: string[] = []
  const ask = async (question: string): Promise<string> => {
    asked.push(question)
    return answer!
  }
  return { asked, done: requireConfirmed({ database: 'shop' }, given, 'replaces', answer === undefined ? {} : { ask }) }
}

test('the name that is given, or typed at the terminal, has to be that of the database', async () => {
  await confirmed('shop').done
  const typed = confirmed(undefined, ' shop\n')
  await typed.done
  expect(typed.asked).toEqual(['This replaces the database shop. Type its name to go on: '])
  // A name that is given is not asked for.
  expect(confirmed('shop', 'other').asked).toEqual([])
})

test('anything else is refused before anything is done', async () => {
  expect(await thrownBy(confirmed(undefined).done)).toMatchObject({ status: 2, message: 'this replaces the database shop, which nobody has confirmed' })
  for (const { done } of [confirmed('Shop'), confirmed(undefined, ''), confirmed(undefined, 'yes'), confirmed('', 'shop')])
    expect(await thrownBy(done)).toMatchObject({ status: 2, message: expect.stringContaining('another name was given') })
})

test('modes that replace data of a database are asked about, and targets that are none are not', async () => {
  expect((['empty', 'create', 'clean', 'overwrite', 'swap'] as const).filter((mode) => replaces(mode))).toEqual(['clean', 'swap'])
  await requireConfirmed({}, undefined, 'replaces', {})
})
