import { flagInput } from './display.ts'
import { type Group, group } from './group.ts'
import * as schema from './schemas.ts'

/** The page that a command writes about the backups. */
export interface ReportInputs {
  file: string | undefined
  /** Names are replaced by neutral ones. */
  neutral: boolean
}

export const report: Group<ReportInputs> = group(
  {
    report: {
      writes: true,
      help:
        'A file to write a report to: one HTML page about all backups that needs nothing else, readable by its owner alone. An earlier ' +
        'report is replaced; any other file is not.',
      expected: 'the path of a file in a folder that exists',
      example: 'report.html',
      schema: schema.filePath,
    },
    redact: {
      ...flagInput,
      help:
        'In the report, neutral names like "set 1" and "database 2" take the place of all names, addresses and ids, and everyone may ' +
        'read the file: for a page that is published.',
    },
  },
  (values) => ({ file: values.report, neutral: values.redact }),
)
