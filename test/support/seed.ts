import { configureGlobal } from 'fast-check'

// The same cases are tried each time, so that a result can be repeated; SEED tries others, and a failure names the seed.
configureGlobal({ seed: Number(process.env['SEED'] ?? 20_261_120) })
