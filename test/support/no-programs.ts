import path from 'node:path'

// In a quick run, a test that starts a program other than node fails here as it would on a machine without that program.
process.env['PATH'] = path.dirname(process.execPath)
