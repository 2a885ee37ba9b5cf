import './start.js'
const { runPost } = await import('./after.js')
await runPost()
