/** One chunk takes a few hundred bytes at most, so nothing is matched over more of the text. */
const BEFORE_RECIPIENTS = new RegExp(
  [
    String.raw`\{"format":"lifeboat/1","id":"\d{8}T\d{6}Z-[0-9a-f]{8}","set":"[A-Za-z0-9._-]{1,100}","time":"[0-9TZ:.-]{1,40}",`,
    String.raw`"key":"[0-9a-f]{16}","tags":\[(?:"[A-Za-z0-9._:=@+-]{1,100}",?){0,100}\],"size":\d{1,16},"added":\d{1,16},`,
    String.raw`(?:"partial":true,)?(?:"until":"[0-9TZ:.-]{1,40}",)?"recipients":\[`,
  ].join(''),
  'y',
)
const RECIPIENTS = /\["[0-9a-f]{8}"(?:,"[0-9a-f]{16}"){1,100}\],?/y
const CHUNKS = /\],"chunks":\[/y
const CHUNK = /\["[0-9a-f]{64}",\d{1,7},\d{1,16},(?:null|\d{1,8}),"[0-9a-f]{8}"\],?/y
const MANIFEST = /\],"manifest":"[A-Za-z0-9+/]+={0,2}"\}$/y

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
  if (!take(BEFORE_RECIPIENTS)) return false
  while (take(RECIPIENTS));
  if (!take(CHUNKS)) return false
  while (take(CHUNK));
  return take(MANIFEST)
}
