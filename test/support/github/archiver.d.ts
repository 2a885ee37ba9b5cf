/** The part of archiver, the library the artifact client packs with, that tests use. */
declare module 'archiver' {
  interface Options {
    store?: boolean
    forceZip64?: boolean
    comment?: string
    zlib?: { level: number }
  }
  interface Archiver extends NodeJS.ReadableStream {
    append(content: Buffer, options: { name: string }): void
    finalize(): Promise<void>
  }
  const archiver: { create(format: 'zip', options: Options): Archiver }
  export type { Options }
  export default archiver
}
