import type { ConfigurationFile } from '../../environment.ts'

/** The content of a configuration file, without secrets. */
export interface ConfigCheckResult extends ConfigurationFile {
  sources: { databases: string[]; volumes: string[] }
}
