declare module '../settings.ts' {
  interface BackupSettings {
    readonly docker: DockerSettings
  }
  interface RestoreSettings {
    readonly docker: DockerSettings
    readonly folders: FolderSettings
  }
}

/** The settings of a restore into a folder. */
export interface FolderSettings {
  /** Owners of restored files: the users with the same numbers, with the same names, or the one who restores. */
  readonly owners: 'number' | 'name' | 'none'
}

export interface DockerSettings {
  /** The image of the container through which Docker volumes are reached. */
  readonly image: string
}
