import { flagInput } from './display.ts'
import { one } from './group.ts'

export const attest = one('attest', {
  ...flagInput,
  help:
    'Attest the result of the verification with the identity of the job (Sigstore), so that `gh attestation verify` tells which workflow ' +
    'found it. The job needs `permissions: id-token: write` and `attestations: write`; without them there is a warning.',
})
