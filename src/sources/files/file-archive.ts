import type { Location, SourceKind } from '../source-kind.ts'
import { describeVolume, remarksOnVolume, shownFiles, type VolumeDetails, volumeText } from './describe.ts'
import { compareVolumes, volumeDiffText, type VolumeDifferences } from './diff.ts'
import { extractFromVolume } from './extraction.ts'
import { amountOfFiles, volumeLosses, volumeSizes } from './losses.ts'
import { localSite } from './site.ts'
import { verifyVolume, volumeParts } from './verify.ts'

type FileArchive = Omit<
  SourceKind<Location, VolumeDetails, VolumeDifferences>,
  'name' | 'recorded' | 'form' | 'pattern' | 'parse' | 'secrets' | 'sources' | 'target' | 'server'
>

/** The part that all kinds share whose sources are a tar in segments and a list of its files (docs/format.md, 4.1). */
export const fileArchive: FileArchive = {
  noun: 'volume',
  entryNoun: ['file or folder', 'files and folders'],
  contents(source) {
    const { facts, archives } = volumeParts(source)
    return { entries: facts.entries, size: archives.reduce((sum, { size }) => sum + size, 0) }
  },
  async verify({ source, read }, level, { variables, signal }) {
    return { entries: await verifyVolume({ source, level, read, site: localSite('/', variables), signal }), problems: [] }
  },
  describe: describeVolume,
  describeText: volumeText,
  remarks: remarksOnVolume,
  amount: amountOfFiles,
  files: shownFiles,
  extract: extractFromVolume,
  compare: compareVolumes,
  compareText: volumeDiffText,
  losses: volumeLosses,
  sizes: volumeSizes,
}
