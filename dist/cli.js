#!/usr/bin/env node
import { runTerminal } from './index.js'
await runTerminal()
