declare module '../settings.ts' {
  interface BackupSettings {
    readonly docker: DockerSettings
  }
  interface RestoreSettings {
    readonly docker: DockerSettings
    readonly folders: FolderSettings
  }
  interface DrillSettings {
    readonly restored: RestoredFilesSettings
  }
}

/** The settings of a restore into a folder. */
export interface FolderSettings {
  /** Owners of restored files: the users with the same numbers, with the same names, or the one who restores. */
  readonly owners: 'number' | 'name' | 'none'
}

/** Of a drill: what must hold in a restored volume. */
export interface RestoredFilesSettings {
  /** A command of the user that must succeed in its folder. */
  readonly command: string | undefined
}

export interface DockerSettings {
  /** The image of the container through which Docker volumes are reached. */
  readonly image: string
}
