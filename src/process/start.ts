/** Each entry of the program loads this module first. */

// oxlint-disable-next-line import/no-unassigned-import -- it is there for what it does when it is loaded
import './node-version.ts'
// oxlint-disable-next-line import/no-unassigned-import -- the same
import './v8-flags.ts'
