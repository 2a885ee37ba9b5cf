import { LifeboatError } from '../error.ts'

/** Of a damaged source nothing can be restored; the caller knows which other snapshot has it. */
export class NothingWhole extends LifeboatError {}
