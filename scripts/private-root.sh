#!/usr/bin/env bash
# Unpacks packages of another suite of this distribution, with all they depend on, into a folder, and leaves the system
# unchanged. No root needed. Takes the first SUITE that has PACKAGE in version MINIMUM or newer:
#   [PROGRAMS="PROGRAM..."] scripts/private-root.sh FOLDER "PACKAGE [MORE...]" MINIMUM SUITE...
# The PROGRAMS in FOLDER/usr/bin (default: the package's own name) and those in FOLDER/usr/lib/postgresql/*/bin then run with
# the folder's own loader and libraries, since a newer program wants a newer libc than the system's.
set -euo pipefail
folder=$1 packages=$2 package=${2%% *} minimum=$3
shift 3

# The system's own mirror: apt knows it whatever format its sources have.
. /etc/os-release
uri=$(apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
  awk -v release="${VERSION_CODENAME:-sid}" '!uri && $2 == "main" && ($1 == release || $1 ~ /^(stable|testing|unstable)$/) { uri = $3 } END { print uri }')
[ -n "$uri" ] || { echo "apt has no source for ${PRETTY_NAME:-this system}" >&2; exit 1; }
# With its archive's key alone, where that is in the usual place; else with all keys apt trusts.
key=/usr/share/keyrings/$ID-archive-keyring.gpg
[ ! -e "$key" ] || signed="[signed-by=$key]"

mkdir -p "$(dirname "$folder")"
folder=$(cd "$(dirname "$folder")" && pwd)/${folder##*/}
work=$(mktemp -d "$folder.XXXXXX")
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
state=$work/.apt

# An apt of its own, that believes nothing is installed; it checks signatures as the system's does.
private_apt() {
  local program=$1
  shift
  "$program" -qq -o Dir::Etc::SourceList="$state/sources.list" -o Dir::Etc::SourceParts="$state/none" -o Dir::State="$state/lib" \
    -o Dir::State::status="$state/status" -o Dir::Cache="$state/cache" -o APT::Sandbox::User=root -o Debug::NoLocking=1 "$@"
}

has_package() {
  rm -rf "$state"
  mkdir -p "$state"/none "$state"/lib/lists/partial "$state"/cache/archives/partial
  : >"$state/status"
  echo "deb ${signed:-} $uri $1 main" >"$state/sources.list"
  private_apt apt-get update || return 1
  local version
  version=$(private_apt apt-cache show "$package" 2>/dev/null | awk '/^Version:/ { print $2; exit }')
  [ -n "$version" ] && dpkg --compare-versions "$version" ge "$minimum"
}

found=
for suite in "$@"; do
  if has_package "$suite"; then found=$suite; break; fi
done
[ -n "$found" ] || { echo "no $package $minimum or newer in $* at $uri" >&2; exit 1; }
echo "fetching $package from $found into $folder" >&2
# shellcheck disable=SC2086 # several words are meant
private_apt apt-get -y --no-install-recommends --download-only install $packages >&2
for deb in "$state"/cache/archives/*.deb; do dpkg-deb -x "$deb" "$work"; done
rm -rf "$state" "$work"/usr/share/{doc,man,info,locale}

for loader in usr/lib64 lib64 usr/lib/x86_64-linux-gnu lib/x86_64-linux-gnu; do
  loader=$loader/ld-linux-x86-64.so.2
  # A link to an absolute path would lead out of the folder.
  [ ! -f "$work/$loader" ] || [ -L "$work/$loader" ] || break
done
wrap() { # PROGRAM, and the way up from its folder to the root
  mkdir -p "${1%/*}.elf"
  mv "$1" "${1%/*}.elf/"
  cat >"$1" <<WRAPPER
#!/bin/sh
here=\${0%/*}
root=\$here/$2
exec "\$root/$loader" --library-path "\$root/usr/lib/x86_64-linux-gnu:\$root/usr/lib/x86_64-linux-gnu/ceph:\$root/lib/x86_64-linux-gnu" --argv0 "\$0" "\$here.elf/\${0##*/}" "\$@"
WRAPPER
  chmod 755 "$1"
}
is_program() { [ -f "$1" ] && [ ! -L "$1" ] && [ "$(head -c 4 "$1" | tail -c 3)" = ELF ]; }
for program in "$work"/usr/lib/postgresql/*/bin/*; do ! is_program "$program" || wrap "$program" ../../../../..; done
for program in ${PROGRAMS:-$package}; do ! is_program "$work/usr/bin/$program" || wrap "$work/usr/bin/$program" ../..; done
# The other programs cannot run from here, and take space.
for program in "$work"/usr/bin/* "$work"/usr/sbin/*; do [[ " ${PROGRAMS:-$package} " == *" ${program##*/} "* ]] || rm -rf "$program"; done
rm -rf "$work"/usr/lib/python3* "$work"/usr/share/{ceph,perl,python3,zoneinfo}

# Another process may have been at it too, and faster.
[ -d "$folder" ] || mv -T "$work" "$folder"
