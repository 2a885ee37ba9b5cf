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
}

export interface FileRestoreSettings {
  /** gitignore(5) patterns of the files to restore; all if there are none. */
  readonly paths: readonly string[]
}
