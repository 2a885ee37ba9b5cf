declare module '../settings.ts' {
  interface BackupSettings {
    readonly files: FileBackupSettings
  }
  interface RestoreSettings {
    readonly files: FileRestoreSettings
  }
}

/** The settings of a backup of files or objects. */
export interface FileBackupSettings {
  /** Whether files that cannot be read are an error, or left out with a warning. */
  readonly onUnreadable: 'fail' | 'warn'
  /** Read every file, also those that look unchanged. */
  readonly rescan: boolean
  /**
   * Of a safety backup: whatever would be left out, or changes meanwhile, is an error, and no file of the volume itself says what to leave
   * out.
   */
  readonly everything?: boolean
}

export interface FileRestoreSettings {
  /** gitignore(5) patterns of the files to restore; all if there are none. */
  readonly paths: readonly string[]
}
