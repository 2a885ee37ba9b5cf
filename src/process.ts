/** Imported before anything starts a thread: settings of the process that the time and the memory of a backup depend on. */
import { setFlagsFromString } from 'node:v8'

// Each thread of libuv's pool has a memory arena of its own, which keeps what zstd's tables took: two threads instead of four save a fifth
// of all memory. Two compress about 600 MB/s at level 3, faster than a pg_dump.
process.env['UV_THREADPOOL_SIZE'] ??= '2'

// The heap is small and what flows through buffers outside of it is not. Left alone, V8 marks the whole heap for every 5 MB of them, which
// takes a fifth of all CPU time of a backup.
setFlagsFromString('--external-memory-accounted-in-global-limit')
setFlagsFromString('--heap-growing-percent=80')

// Nor may its young part grow, as it does when a hundred thousand files are listed: it stays large then, and full of what nobody needs any more.
// That is 110 of 380 MiB for a folder of so many, for no more CPU time.
setFlagsFromString('--semi-space-growth-factor=1')
