/** The object is not what it was when it was listed, or no longer there. */
export class ChangedObject extends Error {}
/** The object is there and must not, or cannot at once, be read. */
export class ClosedObject extends Error {}
