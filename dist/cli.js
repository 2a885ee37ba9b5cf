#!/usr/bin/env node
import './start.js'
const { runTerminal } = await import('./terminal.js')
await runTerminal()
