declare module '../settings.ts' {
  interface RestoreSettings {
    readonly bucket: BucketSettings
  }
}

/** The settings of a restore into a bucket. */
export interface BucketSettings {
  /** Put objects also if the target has them with the same size and ETag. */
  readonly rewrite: boolean
  /** Delete objects of the target that the patterns cover and the backup does not have. */
  readonly deleteExtra: boolean
}
