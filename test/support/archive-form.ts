import { Cursor, readHead } from '../../src/sources/postgres/contents-form.ts'

/** Of an archive, the byte with its minor version. */
const MINOR = 6

/**
 * An archive of pg_dump 17 or 18 (format 1.16) in the form of pg_dump 16 (format 1.15), whose entries do not have the kind of their
 * relation (pg_backup_archiver.h of PostgreSQL, K_VERS_1_16).
 */
export function asFormat15(archive: Buffer): Buffer {
  const head = new Cursor(archive, undefined)
  const [format, count] = readHead(head)
  if (format.minor !== 16) throw new Error(`the archive has format 1.${format.minor}`)
  const cursor = new Cursor(archive, format)
  const pieces: Buffer[] = [Buffer.from(archive.subarray(0, (cursor.at = head.at)))]
  pieces[0]!.writeUInt8(15, MINOR)
  for (let entry = 0; entry < count; entry++) {
    const start = cursor.at
    cursor.int() // The id, and whether it has data.
    cursor.int()
    for (let text = 0; text < 4; text++) cursor.skip() // The oids, name and kind.
    cursor.int() // The section.
    for (let text = 0; text < 6; text++) cursor.skip() // SQL, DROP, COPY, schema, tablespace, access method.
    pieces.push(archive.subarray(start, cursor.at))
    cursor.int()
    const rest = cursor.at
    for (let text = 0; text < 2; text++) cursor.skip() // The owner, and WITH OIDS.
    while (cursor.skip() >= 0); // The entries that it needs.
    cursor.position()
    pieces.push(archive.subarray(rest, cursor.at))
  }
  return Buffer.concat([...pieces, archive.subarray(cursor.at)])
}
