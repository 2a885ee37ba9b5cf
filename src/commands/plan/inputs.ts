import { databaseChoiceInput, EVERY_DATABASE } from '../../inputs/chosen-databases.ts'
import { requirePatternsOf, volumes } from '../../inputs/chosen-volumes.ts'
import { clientInstall, requireDatabase, serverInput, servers } from '../../inputs/database.ts'
import { timeZone } from '../../inputs/display.ts'
import { docker } from '../../inputs/kind-options.ts'
import { commandInputs, one, type SlicesOf } from '../../inputs/group.ts'
import { missingInput } from '../../inputs/parse.ts'
import * as schema from '../../inputs/schemas.ts'
import { sourceAccess } from '../../inputs/store.ts'
import { requireServers } from '../sets/server-databases.ts'

export const inputs = commandInputs(
  {
    databases: servers('The servers, each without a database'),
    choice: one('databases', {
      ...databaseChoiceInput,
      help:
        'Which databases of the servers: patterns with * and ?, those after ! leave databases out, name=PATTERN is for one server; or a ' +
        'JSON array of names. Default: all.',
    }),
    volumes,
    maxJobs: one('max-jobs', {
      help: 'The work is divided over at most so many jobs.',
      expected: 'a whole number from 1 to 256',
      example: '20',
      schema: schema.wholeNumber(1, 256),
      default: '6',
    }),
    docker,
    clientInstall,
    access: sourceAccess(),
    timeZone,
  },
  ({ databases, choice, volumes }, variables) => {
    if (databases.list.length === 0 && (choice || volumes.list.length === 0))
      throw missingInput('database-url', serverInput, variables)
    requireDatabase(databases.tunnel, databases.list.length > 0)
    requireServers(databases.list, choice ?? EVERY_DATABASE)
    requirePatternsOf(volumes)
  },
)

export type PlanInputs = SlicesOf<typeof inputs>
