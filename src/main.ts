// oxlint-disable-next-line import/no-unassigned-import -- it is there for what it does when it is loaded
import './process/node-version.ts'
// oxlint-disable-next-line import/no-unassigned-import -- the same
import './process/v8-flags.ts'

export { runAction } from './actions/action.ts'
export { runPost } from './actions/post.ts'
export { runTerminal } from './cli/terminal.ts'
