import { databaseChoiceInput } from '../../inputs/chosen-databases.ts'
import { clientInstall, requireDatabase, servers } from '../../inputs/database.ts'
import { timeZone } from '../../inputs/display.ts'
import { commandInputs, one, type SlicesOf } from '../../inputs/group.ts'
import { requiredKey } from '../../inputs/key.ts'
import { notify } from '../../inputs/notify.ts'
import { plan } from '../../inputs/plan.ts'
import { access, destination, requireStore } from '../../inputs/store.ts'
import { requireServers } from '../sets/server-databases.ts'

export const inputs = commandInputs(
  {
    plan: one('plan', {
      once: true,
      help: 'The output plan of the action plan in this run: ${{ needs.plan.outputs.plan }}.',
      expected: 'the output plan of the action plan, which is empty if its job failed',
      example: 'plan1.LcpBDkAwFAXAu7x1K-9XSPQcVpouqIpKRIOduLsQs54LaYSFoalFDFsakux0NZV9EyRC4Uxr_IsW0V-ypCWLt0Jh2YYD1jn0OUMh7Cu8cjjmLcP7-wE',
      schema: plan,
      required: true,
    }),
    key: requiredKey('The key of the backups; a write key is enough.'),
    destination,
    databases: servers('Optional: the servers, to name databases that are new since the plan'),
    choice: one('databases', {
      ...databaseChoiceInput,
      help: 'The same databases of the servers as in the action plan.',
      default: '*',
    }),
    clientInstall,
    access: access(),
    notify,
    timeZone,
  },
  (slices, variables) => {
    const { list, tunnel } = slices.databases
    requireStore(slices, variables)
    requireDatabase(tunnel, list.length > 0)
    if (list.length > 0) requireServers(list, slices.choice)
  },
)

export type VerdictInputs = SlicesOf<typeof inputs>
