import './start.js'
const { runAction } = await import('./action.js')
await runAction('check')
