/** Imported before the program: settings of the process that the time and the memory of a backup depend on. */
import { setFlagsFromString } from 'node:v8'

// The heap is small and what flows through buffers outside of it is not. Left alone, V8 marks the whole heap for every 5 MB of them that
// are not given back (memory.ts).
setFlagsFromString('--external-memory-accounted-in-global-limit')
setFlagsFromString('--heap-growing-percent=80')

// Nor may its young part grow, as it does when a hundred thousand files are listed: it stays large then, and full of what nobody needs any
// more. That is 110 of 380 MiB for a folder of so many, for no more CPU time.
setFlagsFromString('--semi-space-growth-factor=1')
