/** The object changed after it was listed, or is gone. */
export class ChangedObject extends Error {}
/** The object exists, but access is denied, or its storage class cannot be read at once. */
export class ClosedObject extends Error {}
