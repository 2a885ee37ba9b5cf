/** Imported before the program: settings of the process that the time and the memory of a backup depend on. */
import { setFlagsFromString } from 'node:v8'

// The heap is small, the buffers outside of it are not. By default V8 marks the whole heap for every 5 MB of buffers that are not given
// back (buffers.ts).
setFlagsFromString('--external-memory-accounted-in-global-limit')
setFlagsFromString('--heap-growing-percent=80')

// By default the young part of the heap grows when a hundred thousand files are listed, stays large, and is full of objects that are not
// needed any more: 110 of 380 MiB for such a folder. A young part that does not grow takes no more CPU time.
setFlagsFromString('--semi-space-growth-factor=1')
