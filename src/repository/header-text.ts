/** As `JSON.stringify` writes it, of so many digits at most. */
const number = (digits: number): string => String.raw`(?:0|[1-9]\d{0,${digits - 1}})`

const TAG = '"[A-Za-z0-9._:=@+-]{1,100}"'

/** One chunk takes a few hundred bytes at most, so nothing is matched over more of the text. */
const BEFORE_RECIPIENTS = new RegExp(
  [
    String.raw`\{"format":"lifeboat/1","id":"\d{8}T\d{6}Z-[0-9a-f]{8}","set":"[A-Za-z0-9._-]{1,100}","time":"[0-9TZ:.-]{1,40}",`,
    String.raw`"key":"[0-9a-f]{16}","tags":\[(?:${TAG}(?:,${TAG}){0,99})?\],"size":${number(16)},"added":${number(16)},`,
    String.raw`(?:"partial":true,)?(?:"until":"[0-9TZ:.-]{1,40}",)?"recipients":\[`,
  ].join(''),
  'y',
)
const RECIPIENTS = members(String.raw`\["[0-9a-f]{8}"(?:,"[0-9a-f]{16}"){1,100}\]`)
const CHUNKS = /\],"chunks":\[/y
const CHUNK = members(String.raw`\["[0-9a-f]{64}",${number(7)},${number(16)},(?:null|${number(8)}),"[0-9a-f]{8}"\]`)
const MANIFEST = /\],"manifest":"(?=[A-Za-z0-9+/])/y
/** Seven times as fast as a form of all of it. */
const NO_BASE64 = /[^A-Za-z0-9+/]/g
const END = /={0,2}"\}$/y

interface Members {
  first: RegExp
  next: RegExp
}

function members(form: string): Members {
  return { first: new RegExp(form, 'y'), next: new RegExp(`,${form}`, 'y') }
}

/**
 * Whether a text has the outline of a snapshot's header, member by member, in linear time and without building values. Such a text has no
 * nesting, no second member of a name and no more values than its length allows for, so that it may be parsed even if it is not
 * authenticated.
 */
export function isHeaderText(text: string): boolean {
  let position = 0
  const take = (form: RegExp): boolean => {
    form.lastIndex = position
    if (!form.test(text)) return false
    position = form.lastIndex
    return true
  }
  const takeAll = ({ first, next }: Members): void => {
    if (take(first)) while (take(next));
  }
  if (!take(BEFORE_RECIPIENTS)) return false
  takeAll(RECIPIENTS)
  if (!take(CHUNKS)) return false
  takeAll(CHUNK)
  if (!take(MANIFEST)) return false
  NO_BASE64.lastIndex = position
  position = NO_BASE64.exec(text)?.index ?? text.length
  return take(END)
}
