import { InvalidValue } from '../../error.ts'
import type { Destination } from '../kind.ts'
import { checkedEndpoint, readUrl, secretsOfUrl, shownParameters } from '../../net/url.ts'

/** A container of Azure Blob Storage, or a part of one. */
export interface AzblobDestination extends Destination {
  kind: 'azblob'
  account: string
  container: string
  /** Every key begins with it: empty, or with a slash at its end. */
  prefix: string
  /** The URL of the account; of a sovereign cloud or an emulator. Undefined is Azure itself. */
  endpoint: string | undefined
  /** The account's shared key. */
  key: string | undefined
  /** A shared access signature, `sv=…&sig=…`. */
  sas: string | undefined
}

const SHOWN = ['endpoint']
const SECRET = ['account-key', 'sas']
/**
 * The parameters of a shared access signature; only `sig` is a secret. (Azure Storage, "Create an account SAS", "Create a service SAS",
 * "Create a user delegation SAS".)
 */
const SIGNED = [
  'sv',
  'ss',
  'srt',
  'sr',
  'sp',
  'st',
  'se',
  'spr',
  'sip',
  'si',
  'skoid',
  'sktid',
  'skt',
  'ske',
  'sks',
  'skv',
  'saoid',
  'suoid',
  'scid',
  'ses',
  'sdd',
]

/** Reads the whole text, with the kind's name. Throws `InvalidValue`. */
export function parseAzblob(text: string): AzblobDestination {
  const { user, password, host: account, port, path, parameters } = readUrl(text, [...SHOWN, ...SECRET, ...SIGNED, 'sig'])
  if (user !== undefined || password !== undefined) {
    throw new InvalidValue('azblob:// takes no user and password; give account-key= or a shared access signature as parameters')
  }
  if (port !== undefined || !/^[a-z0-9]{3,24}$/.test(account)) {
    throw new InvalidValue(
      'azblob:// is followed by the name of a storage account, 3 to 24 small letters and digits; the host of a service goes into endpoint=',
    )
  }
  const [container = '', ...rest] = path.replace(/^\/+|\/+$/g, '').split('/')
  if (!/^(?:\$root|[a-z0-9](?:-?[a-z0-9]){2,62})$/.test(container)) {
    throw new InvalidValue('the account is not followed by / and the name of a container')
  }
  if (rest.some((part) => ['', '.', '..'].includes(part))) throw new InvalidValue('the path has an empty part, . or ..')
  const prefix = rest.join('/')
  return {
    kind: 'azblob',
    text: `azblob://${account}/${container}${prefix && `/${encodeURI(prefix)}`}${shownParameters(parameters, SHOWN)}`,
    account,
    container,
    prefix: prefix && `${prefix}/`,
    endpoint: checkedEndpoint(parameters['endpoint']),
    ...accessIn(parameters),
  }
}

export function azblobSecrets(text: string): string[] {
  return secretsOfUrl(text, [...SHOWN, ...SIGNED])
}

function accessIn(parameters: Readonly<Record<string, string | undefined>>): Pick<AzblobDestination, 'key' | 'sas'> {
  const key = parameters['account-key']
  const pieces = [...SIGNED, 'sig'].flatMap((name) =>
    parameters[name] === undefined ? [] : [`${name}=${encodeURIComponent(parameters[name])}`],
  )
  if (pieces.length > 0 && parameters['sig'] === undefined) throw new InvalidValue('the shared access signature has no sig=')
  const ways = [key, parameters['sas'], pieces.length > 0 ? pieces.join('&') : undefined].filter((way) => way !== undefined)
  if (ways.length > 1) throw new InvalidValue('it has more than one of account-key=, sas= and the parts of a shared access signature')
  return { key, sas: key === undefined ? ways[0]?.replace(/^\?/, '') : undefined }
}
