#!/bin/sh
# Gets backups out of a lifeboat/1 store with age, zstd, jq and coreutils alone.
# It is in the store itself and needs nothing else of Lifeboat; RECOVERY.md beside it says how to use it.
# The script treats all data of the store as hostile until it has checked the snapshot's MAC.
set -eu
umask 077
LC_ALL=C
export LC_ALL

usage() {
  cat <<'USAGE'
usage: recover.sh list                                             the snapshots; needs no key
       recover.sh key -i IDENTITY                                  whether it is the key of this store
       recover.sh identity -o FILE                                 the identity behind a passphrase
       recover.sh streams SNAPSHOT [-i IDENTITY]                   what a snapshot holds
       recover.sh extract SNAPSHOT STREAM [-i IDENTITY] [-o FILE]  writes one stream and checks it
       recover.sh database SNAPSHOT NAME [-i IDENTITY] -o FOLDER   writes everything of a database: all archives, and the roles
       recover.sh volume SNAPSHOT VOLUME [-i IDENTITY] -o FOLDER   extracts a volume; skips what is damaged

  SNAPSHOT      an id as list prints it, such as 20261120T020000Z-5f3a9c1e
  STREAM        a name as streams prints it, such as app/app.dump
  -i IDENTITY   file with the AGE-SECRET-KEY-… line; without it, the passphrase is asked for
  -o FILE       a file that does not exist yet; without it, standard output
  -o FOLDER     a folder that does not exist yet; of a volume, everything that is damaged is listed, and the exit status is 1
  --store DIR   the folder with lifeboat.json; without it, the folder of this script
  --skip-damaged
                with extract: of a damaged archive of a database, writes what is whole to FILE, and a list for pg_restore to FILE.list
  --keep-damaged
                with volume: keeps damaged files, with zeros in place of what is lost
  --unauthenticated
                for the key of an extra recipient, which cannot check who wrote the snapshot
USAGE
}

tmp=
partial=
unfinished=
clean_up() {
  if [ -n "$partial" ]; then rm -f -- "$partial"; fi
  if [ -n "$unfinished" ]; then rm -rf -- "$unfinished"; fi
  if [ -n "$tmp" ]; then rm -rf -- "$tmp"; fi
}
trap clean_up EXIT
# dash does not clean up when the reader of its messages is gone, unless that is trapped too.
trap 'exit 1' HUP INT TERM PIPE

fail() {
  printf 'recover.sh: %s\n' "$1" >&2
  exit "${2:-1}"
}

need() {
  for tool in "$@"; do
    command -v "$tool" >/dev/null 2>&1 || fail "$tool is not installed (Debian, Ubuntu: apt-get install age zstd jq coreutils)"
  done
}

# --- HMAC-SHA-256 and HKDF (RFC 2104, RFC 5869) out of sha256sum; printf is a builtin, so no key becomes an argument

# Hexadecimal, each byte XORed with $2, as escapes for printf %b.
escapes() {
  hex=$1
  escaped=
  while [ -n "$hex" ]; do
    rest=${hex#??}
    byte=$((0x${hex%"$rest"} ^ $2))
    escaped="$escaped\\0$((byte >> 6))$((byte >> 3 & 7))$((byte & 7))"
    hex=$rest
  done
}

sha256() {
  digest=$(sha256sum)
  printf '%s' "${digest%% *}"
}

zeros=0000000000000000000000000000000000000000000000000000000000000000

# HMAC of standard input under a key of 32 bytes, both as hexadecimal.
hmac() {
  escapes "$1$zeros" 54
  inner=$({ printf %b "$escaped"; cat; } | sha256)
  escapes "$1$zeros" 92
  outer=$escaped
  escapes "$inner" 0
  printf %b "$outer$escaped" | sha256
}

# HKDF with an empty salt, 32 bytes out: $1 key material as escapes, $2 info.
hkdf() {
  extracted=$(printf %b "$1" | hmac "$zeros")
  printf '%s\001' "$2" | hmac "$extracted"
}

# --- the store

open_store() {
  need zstd jq sha256sum mktemp head tail tr wc cut sort df date
  [ -f "$store/lifeboat.json" ] || fail "$store is no Lifeboat store: it has no lifeboat.json"
  jq -e '. == {"format": "lifeboat/1"}' "$store/lifeboat.json" >/dev/null 2>&1 ||
    fail "$store/lifeboat.json does not say {\"format\":\"lifeboat/1\"}: this script reads no other format"
  beside=$(cd -- "$store" && cd .. && pwd -P) || fail "cannot enter $store"
  tmp=$(mktemp -d "${TMPDIR:-$beside}/lifeboat-recover.XXXXXX") ||
    fail "cannot make a folder in ${TMPDIR:-$beside}: set TMPDIR to a folder with room that is yours alone"
}

full() {
  fail "cannot write to $tmp: it is full, or not writable; set TMPDIR to a folder with room" 4
}

# Ends the script if $tmp has no room for $1 bytes: then a failure says nothing about the store.
require_room() {
  head -c "$1" /dev/zero 2>/dev/null >"$tmp/room" || full
  [ "$(wc -c <"$tmp/room")" -eq "$1" ] || full
  rm -f -- "$tmp/room"
}

# Says how much room $1 bytes need beside the file or folder $2, and ends the script if there is less.
require_space() {
  place=$(dirname -- "$2")
  free=$(df -Pk -- "$place" 2>/dev/null | tail -n 1 | tr -s ' ' | cut -d ' ' -f 4)
  case $free in '' | *[!0-9]*) return ;; esac
  printf 'recover.sh: %s MB to write, %s MB are free in %s\n' "$(($1 / 1000000))" "$((free * 1024 / 1000000))" "$place" >&2
  [ "$free" -ge "$(($1 / 1024))" ] || fail "$place has too little room: give -o a place with $(($1 / 1000000)) MB"
}

# Sets $rate to the megabytes per second of $1 bytes since $started.
measure_rate() {
  seconds=$(($(date +%s) - started))
  [ "$seconds" -gt 0 ] || seconds=1
  rate="$seconds s, $(($1 / 100000 / seconds / 10)).$(($1 / 100000 / seconds % 10)) MB/s"
}

# shellcheck disable=SC2016 # the dollars are jq's
header_rules='
  def text($pattern): type == "string" and test("\\A(" + $pattern + ")\\z");
  def whole($least; $most): type == "number" and . == floor and . >= $least and . <= $most;
  def bytes: whole(0; 9007199254740991);
  type == "object"
  and keys - ["partial", "until"] == ["added", "chunks", "format", "id", "key", "manifest", "recipients", "set", "size", "tags", "time"]
  and ((has("partial") | not) or .partial == true)
  and ((has("until") | not) or (.until | text("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?Z")))
  and .format == "lifeboat/1"
  and (.id | text("[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}"))
  and (.set | text("[A-Za-z0-9][A-Za-z0-9._-]{0,99}"))
  and (.time | text("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?Z"))
  and (.key | text("[0-9a-f]{16}"))
  and (.tags | type == "array" and all(.[]; text("[A-Za-z0-9][A-Za-z0-9._:=@+-]{0,99}")))
  and (.size | bytes) and (.added | bytes)
  and (.manifest | text("[A-Za-z0-9+/]+={0,2}"))
  and (.recipients | type == "array" and all(.[];
    type == "array" and length > 1 and (.[0] | text("[0-9a-f]{8}")) and all(.[1:][]; text("[0-9a-f]{16}"))))
  and (.chunks | type == "array")
  and (.chunks as $all | all($all[];
    type == "array" and length == 5
    and (.[0] | text("[0-9a-f]{64}")) and (.[1] | whole(1; 8388608)) and (.[2] | whole(1; 9007199254740991))
    and (.[3] == null or ((.[3] | whole(0; ($all | length) - 1)) and $all[.[3]][3] == null))
    and (.[4] | text("[0-9a-f]{8}"))))'

# Splits the snapshot object $1: $key and $mac from its first line, and $tmp/frame, which the MAC is of.
# Returns non-zero if it is not a snapshot.
split_snapshot() {
  head -c 93 "$1" >"$tmp/line" || full
  [ "$(wc -l <"$tmp/line")" -eq 1 ] || return 1
  line=$(tr -c 'a-z0-9/ \n' '?' <"$tmp/line")
  case $line in 'lifeboat/1 '*) ;; *) return 1 ;; esac
  mac=${line##* }
  key=${line#* }
  key=${key%% *}
  case $key$mac in *[!0-9a-f]*) return 1 ;; esac
  [ "${#line}" -eq 92 ] && [ "${#key}" -eq 16 ] && [ "${#mac}" -eq 64 ] || return 1
  tail -c +94 "$1" >"$tmp/frame" || full
}

# Reads $tmp/frame, of the snapshot object $1, into $tmp/header; returns non-zero if it is not the header of that snapshot.
# An honest header is less than 8 times as large as its frame.
read_header() {
  limit=$(($(wc -c <"$tmp/frame") * 8 + 65536))
  [ "$limit" -le 536870912 ] || limit=536870912
  zstd -q -d -c <"$tmp/frame" 2>/dev/null | head -c "$((limit + 1))" >"$tmp/header" ||
    full
  # jq 1.6 accepts empty input.
  [ -s "$tmp/header" ] && [ "$(wc -c <"$tmp/header")" -le "$limit" ] || return 1
  path=${1%.json.zst}
  folder=${path%/*}
  jq -e --arg id "${path##*/}" --arg set "${folder##*/}" --arg key "$key" \
    "($header_rules) and .id == \$id and .set == \$set and .key == \$key" "$tmp/header" >/dev/null 2>&1
}

# A file's path inside the store, without characters that a terminal obeys.
shown() {
  printf '%s' "${1#"$store"/}" | tr -c 'A-Za-z0-9._/-' '?'
}

list_snapshots() {
  bad=0
  : >"$tmp/list"
  for object in "$store"/snapshots/*/*.json.zst; do
    [ -f "$object" ] || continue
    if split_snapshot "$object" && read_header "$object"; then
      jq -r '
        def size: if . >= 1e9 then "\((. / 1e7 | floor) / 100) GB" elif . >= 1e6 then "\((. / 1e4 | floor) / 100) MB" else "\(.) B" end;
        [.time, .id, .set, (.size | size), (.tags + (if .partial then ["(partial)"] else [] end) | join(" "))]
        | join("\t")' "$tmp/header" >>"$tmp/list"
    else
      printf 'recover.sh: %s is no readable lifeboat/1 snapshot: damaged, out of place, or of a newer format\n' "$(shown "$object")" >&2
      bad=1
    fi
  done
  [ -s "$tmp/list" ] || [ "$bad" -eq 1 ] || fail "$store holds no snapshots"
  printf '%-25s  %-24s  %12s  %-20s  %s\n' SNAPSHOT TIME SIZE SET TAGS
  tab=$(printf '\t')
  sort "$tmp/list" | while IFS=$tab read -r time id set size tags; do
    printf '%-25s  %-24s  %12s  %-20s  %s\n' "$id" "$time" "$size" "$set" "$tags"
  done
  return "$bad"
}

# --- keys

# Adds the identity in $1 (encrypted under a passphrase) to $tmp/identity; age asks on the terminal.
# Returns non-zero if the passphrase does not open it.
unwrap() {
  printf 'Passphrase of %s:\n' "$(shown "$1")" >&2
  age -d -o "$tmp/unwrapped" "$1" && cat "$tmp/unwrapped" >>"$tmp/identity" && return 0
  printf 'recover.sh: %s could not be opened: a wrong passphrase, or a damaged file\n' "$(shown "$1")" >&2
  return 1
}

write_identity() {
  [ ! -e "$out" ] || fail "$out exists already"
  found=no
  for object in "$store"/keys/*.age; do
    [ -f "$object" ] || continue
    found=yes
    unwrap "$object" || : # another passphrase may be that of the next
  done
  [ "$found" = yes ] || fail "$store/keys holds no key: these backups were made with an identity, not with a passphrase"
  [ -f "$tmp/identity" ] || fail 'no identity was written'
  cp -- "$tmp/identity" "$out"
}

# Sets $identity to a file with at least one identity in it.
open_identity() {
  if [ -z "$identity" ]; then
    wrapped=$store/keys/$key
    found=no
    for file in "$wrapped.age" "$wrapped"-*.age; do # one for each passphrase
      [ -f "$file" ] || continue
      found=yes
      if unwrap "$file"; then break; fi
    done
    [ "$found" = yes ] || fail "give the key with -i FILE: the store has no $(shown "$wrapped.age") that a passphrase would open" 2
    identity=$tmp/identity
    [ -f "$identity" ] || exit 1
  fi
  [ -r "$identity" ] || fail "cannot read the identity file $identity"
  tr -d ' \t\r' <"$identity" >"$tmp/lines"
  identities=
  while read -r line || [ -n "$line" ]; do
    case $line in
      *[!A-Z0-9-]*) ;;
      AGE-SECRET-KEY-*) identities="$identities$line " ;;
    esac
  done <"$tmp/lines"
  rm -f -- "$tmp/lines"
  [ -n "$identities" ] || fail "$identity holds no line that begins with AGE-SECRET-KEY-"
}

# Finds the identity whose MAC the snapshot carries, and derives the id key from it. A key of an extra recipient has neither.
authenticate() {
  id_key=
  for candidate in $identities; do
    write_secret=$(hkdf "$candidate" 'lifeboat/1 write secret')
    escapes "$write_secret" 0
    secret=$escaped
    if [ "$(hmac "$(hkdf "$secret" 'lifeboat/1 snapshot mac')" <"$tmp/frame")" = "$mac" ]; then
      id_key=$(hkdf "$secret" 'lifeboat/1 chunk id')
      return 0
    fi
  done
  need age-keygen
  age-keygen -y "$identity" >"$tmp/recipients" 2>/dev/null ||
    fail "age-keygen cannot read $identity, so that it cannot be told whose key it is"
  while read -r recipient; do
    if [ "$(printf %s "$recipient" | sha256 | cut -c 1-16)" = "$key" ]; then
      fail "snapshot $snapshot was changed after it was made, by damage or by someone without the key: its MAC is wrong. \
Do not trust it; try an earlier one"
    fi
  done <"$tmp/recipients"
  [ "$unauthenticated" = yes ] ||
    fail "This is not the key. Snapshot $snapshot was made with the key $key, which $identity does not hold, \
so that nobody can say who wrote it.
If $identity is the key of one of the backup's extra recipients, add --unauthenticated: \
everything is still checked against the sealed manifest"
  printf 'recover.sh: warning: the MAC of snapshot %s cannot be checked with this key\n' "$snapshot" >&2
}

# Says whose keys the snapshots were made with, and whether $identity has one of them.
check_key() {
  need age age-keygen base64
  open_identity
  age-keygen -y "$identity" >"$tmp/recipients" 2>/dev/null || fail "age-keygen cannot read $identity"
  : >"$tmp/own"
  while read -r recipient; do printf '%s\n' "$(printf %s "$recipient" | sha256 | cut -c 1-16)" >>"$tmp/own"; done <"$tmp/recipients"
  opened=0
  snapshots=0
  others=
  : >"$tmp/objects"
  for object in "$store"/snapshots/*/*.json.zst; do
    [ -f "$object" ] || continue
    split_snapshot "$object" || continue
    snapshots=$((snapshots + 1))
    while read -r own; do
      if [ "$own" = "$key" ]; then opened=$((opened + 1)); fi
    done <"$tmp/own"
    case " $others " in *" $key "*) ;; *) others="$others $key" ;; esac
    printf '%s %s\n' "${object##*/}" "$object" >>"$tmp/objects"
  done
  [ "$snapshots" -gt 0 ] || fail "$store holds no snapshots"
  if [ "$opened" -gt 0 ]; then
    printf 'This is the key: %s of %s snapshots were made with it.\n' "$opened" "$snapshots"
    return
  fi
  # The newest may have been made without this recipient.
  sort -r "$tmp/objects" >"$tmp/newest-first"
  : >"$tmp/closed"
  while read -r name object; do
    split_snapshot "$object" || continue
    read_header "$object" || continue
    if jq -r .manifest "$tmp/header" | base64 -d >"$tmp/sealed" 2>/dev/null &&
      age -d -i "$identity" -o "$tmp/plain" "$tmp/sealed" 2>/dev/null; then
      printf 'This is the key of an extra recipient: add --unauthenticated to the commands. The newest snapshot that it opens is %s' \
        "${name%.json.zst}"
      newer=0
      while read -r other; do if [ "$other" = "${folder##*/}" ]; then newer=$((newer + 1)); fi; done <"$tmp/closed"
      if [ "$newer" -eq 0 ]; then printf '.\n'; else printf '; newer ones of its set that were made without it: %s.\n' "$newer"; fi
      return
    fi
    printf '%s\n' "${folder##*/}" >>"$tmp/closed"
  done <"$tmp/newest-first"
  fail "This is not the key, nor that of an extra recipient. The $snapshots snapshots were made with:$others. $identity has: \
$(tr '\n' ' ' <"$tmp/own")"
}

# --- snapshots and chunks

unreadable() {
  fail "$(shown "$object") is no readable lifeboat/1 snapshot: damaged, out of place, or of a newer format"
}

open_snapshot() {
  case $snapshot in '' | *[!0-9A-Za-z-]*) fail "$snapshot is no snapshot id: recover.sh list prints them" 2 ;; esac
  need age base64
  object=
  for match in "$store"/snapshots/*/"$snapshot".json.zst; do
    [ -f "$match" ] || continue
    [ -z "$object" ] || fail "two sets hold a snapshot $snapshot, and an id is used once only: one of them is forged; remove it"
    object=$match
  done
  [ -n "$object" ] || fail "snapshot $snapshot is not in $store"
  split_snapshot "$object" || unreadable
  open_identity
  authenticate
  read_header "$object" || unreadable
  jq -r .manifest "$tmp/header" | base64 -d >"$tmp/sealed"
  age -d -i "$identity" -o "$tmp/plain" "$tmp/sealed" || fail "the manifest of snapshot $snapshot could not be opened with this key"
  zstd -q -d -c <"$tmp/plain" | head -c 536870912 >"$tmp/manifest"
  jq -e --slurpfile header "$tmp/header" '
    def whole($least; $most): type == "number" and . == floor and . >= $least and . <= $most;
    keys - ["marks"] == ["anchors", "description", "lifeboat", "run", "sources", "spent"]
    and all(.sources[];
      keys == ["facts", "kind", "name", "streams"] and (.name | type == "string" and length > 0)
      and all(.streams[];
        keys == ["chunks", "format", "name", "size", "sum"] and (.name | type == "string" and length > 0)
        and (.size | whole(0; 9007199254740991)) and (.sum | test("\\A[0-9a-f]{64}\\z"))
        and all(.chunks[]; whole(0; ($header[0].chunks | length) - 1))))' "$tmp/manifest" >/dev/null 2>&1 ||
    fail "the manifest of snapshot $snapshot is not as lifeboat/1 has it"
}

# For names: characters that control a terminal, or the direction of its text, are question marks.
visible='def visible: explode | map(if . < 32 or (. >= 127 and . < 160) or . == 1564 or . == 8206 or . == 8207
  or (. >= 8232 and . <= 8238) or (. >= 8294 and . <= 8297) then 63 else . end) | implode;'

# The archives of a source with rows of large tables or large objects, as its facts name them; and the place of the one that is meant.
# shellcheck disable=SC2016 # the dollars are jq's
parts='def parts: if (.facts | type) == "object" and (.facts.parts | type) == "array" then .facts.parts else [] end;
  def part($name): .name as $source | parts | map(.stream == $name or $source + "/" + .stream == $name) | index(true);
  def rows: ([.entries[] | select(.kind == "TABLE DATA") | "the rows of \(.schema).\(.name)"]
    + (if any(.entries[]; .kind == "BLOBS") then ["large objects"] else [] end)) | join(", ");'

list_streams() {
  printf '%15s  %-15s  %s\n' BYTES FORMAT STREAM
  jq -r "$visible$parts"'
    .sources[] | .name as $source | parts as $parts | .streams[] | .name as $stream
    | ([$parts[] | select(.stream == $stream) | ", " + rows] | .[0] // "") as $rows
    | "\(.size)\t\(.format | visible)\t\($source + "/" + .name + $rows | visible)"' "$tmp/manifest" >"$tmp/list"
  tab=$(printf '\t')
  while IFS=$tab read -r size format name; do printf '%15s  %-15s  %s\n' "$size" "$format" "$name"; done <"$tmp/list"
}

# Opens a chunk into $tmp/chunk: $1 id, $2 mark, $3 its size, $4 its size as stored, $5 the opened base it is a difference from, if any.
open_chunk() {
  file=$store/chunks/$(printf %s "$1" | cut -c 1-2)/$1-$2
  [ -f "$file" ] || fail "chunk $1 is missing: $(shown "$file") is not in the store"
  size=$(wc -c <"$file")
  [ "$size" -eq "$4" ] || fail "chunk $1 is damaged: $(shown "$file") has $((size)) bytes, $4 were stored"
  age -d -i "$identity" -o "$tmp/sealed" "$file" || damaged "$1" "$3" "$4" "age does not open $(shown "$file")"
  zstd -q -d -c ${5:+-D "$5"} <"$tmp/sealed" | head -c "$(($3 + 1))" >"$tmp/chunk" ||
    damaged "$1" "$3" "$4" "$(shown "$file") is no zstd of its size"
  size=$(wc -c <"$tmp/chunk")
  [ "$size" -eq "$3" ] || damaged "$1" "$3" "$4" "$((size)) bytes came out of $(shown "$file"), $3 were expected"
  sum=$(sha256 <"$tmp/chunk")
  escapes "$sum" 0
  [ -z "$id_key" ] || [ "$(printf %b "$escaped" | hmac "$id_key")" = "$1" ] ||
    fail "chunk $1 is damaged: $(shown "$file") holds the bytes of another chunk"
  printf '%s\n' "$sum" >"$tmp/sum" || full
}

# Ends with status 1, unless the failure is only that there is no room: $1 to $3 as $1, $3 and $4 above, $4 what is wrong.
damaged() {
  rm -f -- "$tmp/sealed" "$tmp/chunk"
  require_room "$(($2 + $3 + 1))"
  fail "chunk $1 is damaged: $4"
}

# The same for a chunk with its base, of which the last is kept: $1 to $4 as above, $5 to $8 those of the base.
open_with_base() {
  if [ "$5" = none ]; then
    open_chunk "$1" "$2" "$3" "$4" ''
    return
  fi
  if [ "$5" != "$(cat "$tmp/base-id" 2>/dev/null)" ]; then
    rm -f -- "$tmp/base-id"
    open_chunk "$5" "$6" "$7" "$8" ''
    mv -f -- "$tmp/chunk" "$tmp/base" || full
    printf %s "$5" >"$tmp/base-id" || full
  fi
  open_chunk "$1" "$2" "$3" "$4" "$tmp/base"
}

write_chunk() {
  cat "$tmp/chunk" || fail 'the output could not be written'
  cat "$tmp/sum" >>"$tmp/sums" || full
}

# Writes the chunks that $tmp/plan lists, in order; $tmp/complete, with their bytes, says that it came to the end.
# With $skip, a damaged chunk is replaced by zeros, and $tmp/holes gets the place of its first byte and of that after it.
# set -e has no effect in a pipeline whose status is tested, so each failure exits.
write_chunks() {
  done=0
  printf '' >"$tmp/sums" || full
  while read -r id mark raw stored base_id base_mark base_raw base_stored; do
    if [ "$skip" = no ]; then
      open_with_base "$id" "$mark" "$raw" "$stored" "$base_id" "$base_mark" "$base_raw" "$base_stored"
      write_chunk
    else
      status=0
      (open_with_base "$id" "$mark" "$raw" "$stored" "$base_id" "$base_mark" "$base_raw" "$base_stored") || status=$?
      case $status in
        0) write_chunk ;;
        1)
          head -c "$raw" /dev/zero || exit 1
          printf '%s %s\n' "$done" "$((done + raw))" >>"$tmp/holes" || full
          ;;
        *) exit "$status" ;;
      esac
    fi
    done=$((done + raw))
    if [ -t 2 ]; then
      measure_rate "$done"
      printf '\r%s of %s bytes, %s ' "$done" "$expected_size" "$rate" >&2
    fi
  done <"$tmp/plan"
  if [ -t 2 ]; then printf '\n' >&2; fi
  printf '%s' "$done" >"$tmp/complete"
}

# Reads how the stream $stream is put together into $tmp/plan, and sets its size and sum.
plan_stream() {
  jq --arg name "$stream" '
    [.sources[] | .name as $source | .streams[] | select(.name == $name or $source + "/" + .name == $name)]' "$tmp/manifest" >"$tmp/stream"
  case $(jq length "$tmp/stream") in
    0) fail "snapshot $snapshot has no stream of that name: recover.sh streams $snapshot prints them" ;;
    1) ;;
    *) fail "several sources of snapshot $snapshot have a stream of that name: give it as SOURCE/STREAM" 2 ;;
  esac
  expected_size=$(jq -r '.[0].size' "$tmp/stream")
  expected_sum=$(jq -r '.[0].sum' "$tmp/stream")
  jq -r --slurpfile header "$tmp/header" '
    $header[0].chunks as $all | .[0].chunks[] | $all[.] | (if .[3] == null then ["none", 0, 0, null, "none"] else $all[.[3]] end) as $base
    | "\(.[0]) \(.[4]) \(.[1]) \(.[2]) \($base[0]) \($base[4]) \($base[1]) \($base[2])"' "$tmp/stream" >"$tmp/plan"
}

extract_stream() {
  plan_stream
  if [ -n "$out" ]; then
    [ ! -e "$out" ] || fail "$out exists already"
    require_space "$expected_size" "$out"
    partial=$(mktemp "$out.partial.XXXXXX") || fail "cannot write beside $out"
    exec 3>"$partial"
  else
    [ ! -t 1 ] || fail 'a stream is no text for a terminal: give -o FILE, or send the output elsewhere' 2
    exec 3>&1
  fi

  started=$(date +%s)
  (write_chunks) >&3 || fail "stream $stream was NOT restored. If an object of the store is damaged or missing, try an earlier snapshot \
(recover.sh list prints them); section 5 of RECOVERY.md gets out what is left of this one"
  [ "$(cat "$tmp/complete")" = "$expected_size" ] ||
    fail "stream $stream was NOT restored: its chunks hold $(cat "$tmp/complete") bytes, the manifest says $expected_size. $try_earlier"
  require_sum
  if [ -n "$out" ]; then
    require_written "$partial"
    [ ! -e "$out" ] || fail "$out exists already"
    mv -- "$partial" "$out"
    partial=
  fi
  measure_rate "$expected_size"
  printf 'recover.sh: %s bytes, with the sum %s: as recorded at the backup; %s\n' "$expected_size" "$expected_sum" "$rate" >&2
}

# Each chunk is what the snapshot lists, and together they are not the stream.
try_earlier="The snapshot contradicts itself: try an earlier one (recover.sh list prints them). Section 6 of RECOVERY.md writes the bytes \
that this one has, as a file that ends with .unchecked"

# The sum of a stream is that of the sums of its chunks, a line each.
require_sum() {
  sum=$(sha256 <"$tmp/sums")
  [ "$sum" = "$expected_sum" ] || fail "stream $stream was NOT restored: its sum is $sum, the manifest says $expected_sum. $try_earlier"
}

# Ends the script unless the file $1 has the bytes of the stream.
require_written() {
  size=$(wc -c <"$1")
  [ "$size" -eq "$expected_size" ] || fail "stream $stream was NOT restored: $((size)) of $expected_size bytes were written"
}

# Says which other archives belong to the main archive $stream.
tell_parts() {
  jq -r --arg name "$stream" "$visible$parts"'
    .sources[] | .name as $source | parts as $parts | select($parts | length > 0)
    | select(any(.streams[]; .format == "pg_dump-custom" and (.name == $name or $source + "/" + .name == $name)
      and (.name as $own | all($parts[]; .stream != $own))))
    | "recover.sh: WARNING: rows of large tables, or large objects, are not in this archive, but in archives of their own: "
      + ($parts | map($source + "/" + .stream) | join(", ") | visible)
      + ". recover.sh database writes all of them; section 4 of RECOVERY.md restores them"' "$tmp/manifest" >&2
}

# Writes every stream of the database $stream into the folder $out, or nothing.
extract_database() {
  [ ! -e "$out" ] || fail "$out exists already"
  database=$stream
  folder=$out
  jq --arg name "$database" '[.sources[] | select(.name == $name and any(.streams[]; .format == "pg_dump-custom"))]' "$tmp/manifest" \
    >"$tmp/database"
  [ "$(jq length "$tmp/database")" = 1 ] ||
    fail "snapshot $snapshot has no database of that name: recover.sh streams $snapshot prints them" 2
  jq -e "$parts"'.[0] | [.streams[].name] as $names
    | all($names[]; test("\\A[^/.\\-\\p{Cc}][^/\\p{Cc}]*\\z")) and ($names | unique | length) == ($names | length)
    and all(parts[]; .stream as $stream | any($names[]; . == $stream))
    and ([.streams[] | select(.format == "pg_dump-custom")] | length) == (parts | length) + 1' "$tmp/database" >/dev/null 2>&1 ||
    fail "$database is NOT whole in snapshot $snapshot, or its streams have names that no file can have: extract those that you need"
  require_space "$(jq '.[0].streams | map(.size) | add' "$tmp/database")" "$folder"
  unfinished=$(mktemp -d "$folder.partial.XXXXXX") || fail "cannot write beside $folder"
  jq -r '.[0].streams[].name' "$tmp/database" >"$tmp/names"
  while IFS= read -r name <&4; do
    stream=$database/$name
    out=$unfinished/$name
    rm -f -- "$tmp/complete"
    extract_stream
  done 4<"$tmp/names"
  # No stream has a name that begins with a dot.
  cp -- "$tmp/names" "$unfinished/.streams" || fail "cannot write beside $folder"
  [ ! -e "$folder" ] || fail "$folder exists already"
  mv -- "$unfinished" "$folder"
  unfinished=
  printf 'recover.sh: everything of %s is in %s; section 4 of RECOVERY.md says how to restore it\n' \
    "$(printf '%s' "$database" | tr -c 'A-Za-z0-9._/-' '?')" "$(printf '%s' "$folder" | tr -c 'A-Za-z0-9._/-' '?')" >&2
}

# Names what is missing: the lines of $tmp/lost.
tell_lost() {
  jq -Rr "$visible"' "recover.sh: MISSING: " + visible' "$tmp/lost" >&2
}

# --- damaged databases

# The parts of an archive that are whole, as lines "part START END", and the ids of the entries whose data is lost, as lines "lost ID".
# Files: the holes, and the places of all data: "ID START END". It fails if a hole is before the data: in the table of contents.
# shellcheck disable=SC2016 # the dollars are awk's
cut_data='
  FILENAME == ARGV[1] { holes++; begins[holes] = $1 + 0; ends[holes] = $2 + 0; next }
  !data { data = 1; start = 0; end = $2 + 0; for (i = 1; i <= holes; i++) if (begins[i] < end) failed = 1 }
  {
    gone = 0
    for (i = 1; i <= holes; i++) if (begins[i] < $3 + 0 && ends[i] > $2 + 0) gone = 1
    if (gone) { if (end > start) printf "part %.0f %.0f\n", start, end; print "lost " $1; start = end = $3 + 0 } else end = $3 + 0
  }
  END { if (end > start) printf "part %.0f %.0f\n", start, end; exit failed || !data }'

# Writes what is whole of the archive $stream to $out, and to $out.list the entries that are left, for pg_restore.
salvage_database() {
  need awk sed
  [ -n "$out" ] || fail '--skip-damaged needs -o FILE' 2
  [ ! -e "$out" ] || fail "$out exists already"
  [ ! -e "$out.list" ] || fail "$out.list exists already"
  plan_stream
  require_space "$((expected_size * 2))" "$out"
  partial=$(mktemp "$out.part.XXXXXX") || fail "cannot write beside $out"
  part=$partial
  started=$(date +%s)
  skip=yes
  if read_part; then
    mv -- "$part" "$out"
    partial=
    printf 'recover.sh: %s is whole: all of it is in %s\n' "$stream" "$out" >&2
    tell_parts
    return
  fi
  jq -r --arg name "$stream" "$parts"'.sources[] | .name as $source
    | select(any(.streams[]; (.name == $name or $source + "/" + .name == $name) and .format == "pg_dump-custom"))
    | part($name) as $part | if $part then parts[$part] else .facts end
    | .data // [] | .[] | "\(.[0]) \(.[1]) \(.[2])"' "$tmp/manifest" >"$tmp/places"
  awk "$cut_data" "$tmp/holes" "$tmp/places" >"$tmp/cuts" ||
    fail "stream $stream was NOT restored: its table of contents is damaged, or an older version of Lifeboat made the snapshot. \
Try another snapshot"
  jq -r --arg name "$stream" "$parts"'.sources[] | .name as $source
    | select(any(.streams[]; .name == $name or $source + "/" + .name == $name))
    | part($name) as $part | [parts[].entries | length] as $counts | ((.facts.entries | length) - ($counts | add // 0)) as $main
    | if $part then .facts.entries[$main + ($counts[: $part] | add // 0) :][: $counts[$part]] else .facts.entries[: $main] end
    | .[]' "$tmp/manifest" >"$tmp/entries"
  awk 'FILENAME == ARGV[1] { if ($1 == "lost") lost[$2 ";"] = 1; next } !($1 in lost)' "$tmp/cuts" "$tmp/entries" >"$out.list"
  awk 'FILENAME == ARGV[1] { if ($1 == "lost") lost[$2 ";"] = 1; next } $1 in lost' "$tmp/cuts" "$tmp/entries" >"$tmp/lost"
  while read -r what from to; do
    [ "$what" = part ] || continue
    tail -c "+$((from + 1))" "$part" | head -c "$((to - from))" || fail "cannot write $out"
  done <"$tmp/cuts" >"$out"
  rm -f -- "$part"
  partial=
  tell_lost
  tell_parts
  fail "$out has all of $stream but for the data that is named above. Restore it with: pg_restore -L $out.list"
}

# --- volumes

# The runs of members of an archive that are whole, as lines "run FIRST NEXT": the header blocks of the first and of the member after the
# run; and lines "lost PATH" for the others. Files: the holes, the members as the list of the volume has them, and as tar finds them. A
# member is whole if it is as listed and no hole touches it; the first after a hole is not, as its extended header may be damaged.
# With keep=yes, a file of which only content is damaged is a line "kept FIRST END"; its holes are named in the line "lost PATH".
# shellcheck disable=SC2016 # the dollars are awk's
cut_archive='
  BEGIN {
    for (i = 1; i < 256; i++) code[sprintf("%c", i)] = i
    for (i = 0; i < 256; i++) {
      code[sprintf("\\x%02x", i)] = i
      code[sprintf("\\x%02X", i)] = i
      written[i] = sprintf("\\%03o", i)
    }
    split("a b t n v f r", letters, " ")
    for (i = 1; i <= 7; i++) written[i + 6] = "\\" letters[i]
    written[92] = "\\\\"
  }
  # The name as tar writes it, on one line; the list of the volume has another way to write control characters and backslashes.
  function escaped(name,   out) {
    while (match(name, /\\x[0-9a-fA-F][0-9a-fA-F]|[^ -~]/)) {
      out = out substr(name, 1, RSTART - 1) written[code[substr(name, RSTART, RLENGTH)]]
      name = substr(name, RSTART + RLENGTH)
    }
    return out name
  }
  function text(type, path, target) {
    if (type == "d") return path == "" ? "./" : "./" path "/"
    if (type == "l") return "./" path " -> " target
    if (type == "h") return "./" path " link to ./" target
    return "./" path
  }
  function fraction(time) { return time ~ /[.]/ ? substr(time, index(time, ".") + 1) : "" }
  function stripped(digits) { sub(/0+$/, "", digits); return digits }
  function touched(from, to,   hole) {
    for (hole = 1; hole <= holes; hole++) if (begins[hole] < to && ends[hole] > from) return 1
    return 0
  }
  # The lost parts of a file of this size, whose content begins there.
  function zeros(from, length_,   hole, text_, a, b) {
    for (hole = 1; hole <= holes; hole++) {
      a = begins[hole] > from ? begins[hole] - from : 0
      b = ends[hole] < from + length_ ? ends[hole] - from : length_
      if (a < b) text_ = text_ sprintf("%s %.0f bytes from byte %.0f on", text_ == "" ? ":" : ",", b - a, a)
    }
    return text_ "; zeros are in their place"
  }
  FILENAME == ARGV[1] { holes++; split($0, pair, " "); begins[holes] = pair[1] + 0; ends[holes] = pair[2] + 0; next }
  FILENAME == ARGV[2] {
    split($0, field, "\t")
    listed++
    name = text(field[1], field[7], field[8])
    names[listed] = name
    place[escaped(name)] = listed
    size[listed] = field[1] == "f" ? field[5] : ""
    times[listed] = stripped(fraction(field[6]))
    next
  }
  # After damage, tar begins the line again at the next header.
  { sub(/^(block [0-9]+: )*block /, "block ") }
  /^block [0-9]+: [-dlhp]/ {
    count++
    start[count] = substr($2, 1, length($2) - 1) * 512
    rest = $0
    for (i = 1; i <= 7; i++) sub(/^ *[^ ]+ +/, "", rest)
    found[count] = rest
    bytes[count] = $5
    kind[count] = substr($3, 1, 1)
    time[count] = stripped(fraction($7))
    seen[rest]++
  }
  END {
    start[count + 1] = total
    last = 0
    for (i = 1; i <= count + 1; i++) {
      p = place[found[i]]
      sure = i <= count && p > last && seen[found[i]] == 1 && (size[p] == "" || size[p] == bytes[i]) && times[p] == time[i] &&
        !touched(i == 1 ? 0 : start[i - 1], start[i])
      good = sure && !touched(start[i], start[i + 1])
      until = start[i] + 512 + int((bytes[i] + 511) / 512) * 512
      kept = keep == "yes" && sure && !good && kind[i] == "-" && !touched(start[i], start[i] + 512) && until <= start[i + 1]
      if (good) {
        last = p
        whole[p] = 1
        if (run == "") run = start[i]
      } else if (run != "") {
        printf "run %.0f %.0f\n", run / 512, start[i] / 512
        run = ""
      }
      if (kept) {
        last = p
        holed[p] = zeros(start[i] + 512, bytes[i])
        printf "kept %.0f %.0f\n", start[i] / 512, until / 512
      }
    }
    for (p = 1; p <= listed; p++) if (!whole[p]) print "lost " names[p] holed[p]
  }'

# Sets $head to the block of $part at which the headers of a member begin: $1 is its own header, which an extended one may precede.
find_head() {
  head=$1
  before=1
  while [ "$before" -le 130 ] && [ "$((head - 1 - before))" -ge 0 ]; do
    hex=$(dd if="$part" bs=512 skip="$((head - 1 - before))" count=1 2>/dev/null | od -An -v -tx1 | tr -d ' \n')
    if [ "$(printf %s "$hex" | cut -c 313-314,515-524)" = 787573746172 ]; then
      digits=$(printf %s "$hex" | cut -c 249-270 | sed 's/3\(.\)/\1/g')
      case $digits in '' | *[!0-7]*) ;; *)
        if [ "$(((0$digits + 511) / 512))" -eq "$before" ]; then
          head=$((head - 1 - before))
          return
        fi
        ;;
      esac
    fi
    before=$((before + 1))
  done
}

# Writes the stream $stream with zeros for damaged chunks into $part; $tmp/holes has their places. Returns non-zero if it is not whole.
read_part() {
  rm -f -- "$tmp/holes" "$tmp/complete" "$part"
  plan_stream
  write_chunks >"$part" || fail "stream $stream could not be written to $part"
  [ -f "$tmp/complete" ] || fail "stream $stream was NOT restored"
  [ ! -f "$tmp/holes" ] || return 1
  require_sum
  require_written "$part"
}

# Without the list of the files: writes the members of $part before the first hole, but for the last, which may reach into it. $1: the
# number of members that the archive had.
write_beginning() {
  read -r hole _ <"$tmp/holes"
  head -c "$hole" "$part" | tar --list --verbose --block-number --numeric-owner --quoting-style=escape --warning=no-unknown-keyword \
    --file=- 2>/dev/null | sed -n 's/^block \([0-9]*\): [-dlhp].*/\1/p' >"$tmp/found" || :
  members=$(($(wc -l <"$tmp/found")))
  [ "$members" -eq 0 ] || members=$((members - 1))
  printf '%s files, links or folders of %s, with their names: the list of the files is damaged as well\n' "$(($1 - members))" "$stream" \
    >>"$tmp/lost"
  [ "$members" -gt 0 ] || return 0
  find_head "$(tail -n 1 "$tmp/found")"
  head -c "$((head * 512))" "$part" || exit 1
}

# Prints a line for each hard link to a lost or damaged file. Files: $tmp/lost, and the list of the volume.
# shellcheck disable=SC2016 # the dollars are awk's
links_to_lost='
  FILENAME == ARGV[1] {
    lost[$0] = 1
    if (match($0, /: [0-9]+ bytes from byte /)) zeros[substr($0, 1, RSTART - 1)] = substr($0, RSTART)
    next
  }
  $1 == "h" {
    name = "./" $7 " link to ./" $8
    if (!(name in lost) && ("./" $8 in lost || "./" $8 in zeros)) print name zeros["./" $8]
  }'

# Writes the archives of the volume one after the other, without what is damaged; $tmp/lost gets a line for each member that is.
# $tmp/all says that it came to the end.
write_archives() {
  first=1
  while IFS=$(printf '\t') read -r entries stream; do
    [ "$entries" -gt 0 ] || continue
    lines=$tmp/listed
    if [ "$listed" = yes ]; then sed -n "$first,$((first + entries - 1))p" "$tmp/files" >"$lines" || exit 1; fi
    first=$((first + entries))
    if read_part; then
      cat "$part" || exit 1
      continue
    fi
    if [ "$listed" = no ]; then
      write_beginning "$entries"
      continue
    fi
    TZ=UTC tar --list --verbose --block-number --full-time --numeric-owner --ignore-zeros --quoting-style=escape \
      --warning=no-unknown-keyword --file="$part" >"$tmp/found" 2>/dev/null || :
    awk -v total="$(($(wc -c <"$part")))" -v keep="$keep" "$cut_archive" "$tmp/holes" "$lines" "$tmp/found" >"$tmp/cuts" || exit 1
    sed -n 's/^lost //p' "$tmp/cuts" >>"$tmp/lost"
    while read -r what from next; do
      case $what in run | kept) ;; *) continue ;; esac
      find_head "$from"
      begin=$head
      head=$next
      if [ "$what" = run ]; then find_head "$next"; fi
      tail -c "+$((begin * 512 + 1))" "$part" | head -c "$(((head - begin) * 512))" || exit 1
    done <"$tmp/cuts"
  done <"$tmp/archives"
  if [ "$listed" = yes ]; then
    awk -F '\t' "$links_to_lost" "$tmp/lost" "$tmp/files" >"$tmp/links" || exit 1
    cat "$tmp/links" >>"$tmp/lost" || exit 1
  fi
  : >"$tmp/all"
}

restore_volume() {
  need tar awk sed
  [ ! -e "$out" ] || fail "$out exists already"
  volume=$stream
  jq --arg name "$volume" '[.sources[] | select(.name == $name and any(.streams[]; .format == "tar-list"))]' "$tmp/manifest" >"$tmp/volume"
  [ "$(jq length "$tmp/volume")" = 1 ] || fail "snapshot $snapshot has no volume of that name: recover.sh streams $snapshot prints them" 2
  jq -e '.[0] | [.streams[] | select(.format == "tar")] as $archives
    | (.facts.segments | length) == ($archives | length)
    and all(.facts.segments[]; .entries | type == "number" and . == floor and . >= 0)' "$tmp/volume" >/dev/null ||
    fail "the facts of $volume are not as lifeboat/1 has them"
  jq -r '.[0] | .name as $name | .facts.segments as $segments | [.streams[] | select(.format == "tar") | .name] | to_entries[]
    | "\($segments[.key].entries)\t\($name)/\(.value)"' "$tmp/volume" >"$tmp/archives"
  skip=yes
  # The files, and the largest archive.
  total=$(jq '.[0].streams | map(.size) | add' "$tmp/volume")
  needed=$(jq '.[0].streams | map(.size) | add + max' "$tmp/volume")
  stream=$(jq -r '.[0] | .name + "/" + (.streams[] | select(.format == "tar-list") | .name)' "$tmp/volume")
  partial=$(mktemp "$out.part.XXXXXX") || fail "cannot write beside $out"
  part=$partial
  listed=yes
  if read_part; then
    mv -f -- "$part" "$tmp/files"
  else
    listed=no
    printf 'recover.sh: the list of the files of %s is damaged: the archives tell what they have\n' "$volume" >&2
  fi
  require_space "$needed" "$out"
  started=$(date +%s)
  mkdir -- "$out"
  : >"$tmp/lost"
  extracted=yes
  write_archives | tar --extract --preserve-permissions --ignore-zeros --numeric-owner --delay-directory-restore --xattrs \
    --xattrs-include='*' --acls --warning=no-timestamp --warning=no-unknown-keyword --directory="$out" --file=- || extracted=no
  rm -f -- "$part"
  partial=
  [ -f "$tmp/all" ] || fail "$volume was NOT restored: only a part of it is in $out"
  if [ -s "$tmp/lost" ]; then
    tell_lost
    fail "$volume is restored in $out in part: everything that is missing is named above. Other snapshots may have it"
  fi
  [ "$extracted" = yes ] || fail "tar reported errors: $volume in $out is not all as it was"
  measure_rate "$total"
  printf 'recover.sh: %s is whole in %s; %s\n' "$volume" "$(printf '%s' "$out" | tr -c 'A-Za-z0-9._/-' '?')" "$rate" >&2
}

# --- the command line

store=
identity=
out=
unauthenticated=no
skip=no
salvage=no
keep=no
command=
snapshot=
stream=
while [ $# -gt 0 ]; do
  case $1 in
    -i | -o | --store)
      [ $# -ge 2 ] || fail "$1 needs a value" 2
      case $1 in -i) identity=$2 ;; -o) out=$2 ;; --store) store=$2 ;; esac
      shift
      ;;
    --skip-damaged) salvage=yes ;;
    --keep-damaged) keep=yes ;;
    --unauthenticated) unauthenticated=yes ;;
    -h | --help) usage; exit 0 ;;
    -*) fail "$1 is no option of this script; without arguments it prints those it has" 2 ;;
    *)
      if [ -z "$command" ]; then command=$1
      elif [ -z "$snapshot" ]; then snapshot=$1
      elif [ -z "$stream" ]; then stream=$1
      else fail "one argument too many: $1" 2
      fi
      ;;
  esac
  shift
done
if [ -z "$store" ]; then store=$(dirname -- "$0"); fi
# Programs would take a name that begins with a dash for an option.
case $store in -*) store=./$store ;; esac
case $identity in -*) identity=./$identity ;; esac
case $out in -*) out=./$out ;; esac

case $command in
  '') usage >&2; exit 2 ;;
  list) open_store; list_snapshots ;;
  streams) open_store; open_snapshot; list_streams ;;
  extract)
    [ -n "$stream" ] || fail 'usage: recover.sh extract SNAPSHOT STREAM [-i IDENTITY] [-o FILE]' 2
    open_store
    open_snapshot
    if [ "$salvage" = yes ]; then
      salvage_database
    else
      extract_stream
      tell_parts
    fi
    ;;
  database)
    if [ -z "$stream" ] || [ -z "$out" ]; then fail 'usage: recover.sh database SNAPSHOT NAME [-i IDENTITY] -o FOLDER' 2; fi
    open_store
    open_snapshot
    extract_database
    ;;
  volume)
    if [ -z "$stream" ] || [ -z "$out" ]; then fail 'usage: recover.sh volume SNAPSHOT VOLUME [-i IDENTITY] -o FOLDER' 2; fi
    open_store
    open_snapshot
    restore_volume
    ;;
  key)
    [ -n "$identity" ] || fail 'usage: recover.sh key -i IDENTITY; recover.sh identity makes one out of a passphrase' 2
    open_store
    check_key
    ;;
  identity)
    [ -n "$out" ] || fail 'usage: recover.sh identity -o FILE; the identity is never printed on the terminal' 2
    open_store
    need age
    write_identity
    ;;
  *) fail "$command is no command of this script; without arguments it prints those it has" 2 ;;
esac
