#!/usr/bin/env bash
# Makes this machine ready for `npm test`, `npm run demo` or `npm run bench`:   scripts/setup.sh test|demo|bench
# Installs nothing that is there. On Debian and Ubuntu it fetches what is missing with apt-get; elsewhere it says what to
# install. Tried on Debian 12 and 13; Ubuntu has other PostgreSQL majors in its suites and has not been tried.
set -euo pipefail
cd "$(dirname "$0")/.."
mode=${1:-}
case $mode in test | demo | bench) ;; *) echo "usage: scripts/setup.sh test|demo|bench" >&2; exit 2 ;; esac

give_up() {
  printf 'setup: %s\n' "$@" >&2
  exit 1
}

[ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] || give_up "the scratch PostgreSQL servers run on x86-64 Linux only, this is $(uname -s) on $(uname -m)"

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then sudo "$@"
  else return 77
  fi
}

apt_updated=
install() { # PACKAGE...
  local how="install these packages and run this again: $*"
  command -v apt-get >/dev/null || give_up "this is not Debian or Ubuntu (no apt-get)" "$how"
  as_root true || give_up "neither root nor sudo here" "$how, as root: apt-get install $*"
  echo "setup: installing $*" >&2
  if [ -z "$apt_updated" ]; then as_root apt-get -qq update >&2; apt_updated=1; fi
  # The package of a server starts it; the tests start their own. Debian's policy layer is how to say so.
  local policy=/usr/sbin/policy-rc.d failed=
  if [ -e $policy ]; then policy=; else printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null; as_root chmod 755 $policy; fi
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install "$@" >/dev/null || failed=1
  [ -z "$policy" ] || as_root rm -f $policy
  [ -z "$failed" ] || give_up "apt-get install $* failed, see above"
}

# Packages of those programs that are not there, asked for as program=package.
install_missing() {
  local missing=() wanted
  for wanted in "$@"; do
    command -v "${wanted%=*}" >/dev/null || missing+=("${wanted#*=}")
  done
  [ ${#missing[@]} = 0 ] || install "${missing[@]}"
}

# Packages of those files that are not there, asked for as file=package.
install_missing_files() {
  local missing=() wanted
  for wanted in "$@"; do
    compgen -G "${wanted%=*}" >/dev/null || missing+=("${wanted#*=}")
  done
  [ ${#missing[@]} = 0 ] || install "${missing[@]}"
}

# Suites that have, or may have, what this one lacks, the wanted one first.
suites_for() { # MAJOR
  . /etc/os-release
  case $ID-$1 in
    ubuntu-14) echo jammy ;;
    ubuntu-16) echo noble ;;
    ubuntu-*) echo questing resolute ;;
    *-15) echo bookworm ;;
    *-17) echo trixie ;;
    *) echo forky sid ;;
  esac
}

need_client() { # MAJOR
  local cached=.cache/postgresql-client-$1
  [ ! -x "/usr/lib/postgresql/$1/bin/pg_dump" ] && [ ! -x "$cached/usr/lib/postgresql/$1/bin/pg_dump" ] || return 0
  local how="install the PostgreSQL $1 client programs in /usr/lib/postgresql/$1/bin (packages for every major: https://apt.postgresql.org)"
  command -v apt-get >/dev/null || give_up "$how"
  if [ -n "$(apt-cache show "postgresql-client-$1" 2>/dev/null)" ]; then install "postgresql-client-$1"; return; fi
  # shellcheck disable=SC2046 # several words are meant
  bash scripts/private-root.sh "$cached" "postgresql-client-$1" "$1" $(suites_for "$1") || give_up "$how"
}

need_any_client() {
  local major
  for major in 14 15 16 17 18; do
    [ ! -x "/usr/lib/postgresql/$major/bin/pg_dump" ] && [ ! -x ".cache/postgresql-client-$major/usr/lib/postgresql/$major/bin/pg_dump" ] || return 0
  done
  install postgresql-client
}

need_restic() {
  [ ! -x .cache/restic/usr/bin/restic ] || return 0
  local version
  version=$(restic version 2>/dev/null | awk '{ print $2 }') || true
  [ -z "$version" ] || ! dpkg --compare-versions "$version" ge 0.18 || return 0
  . /etc/os-release
  local suites="sid forky trixie"
  [ "$ID" != ubuntu ] || suites="resolute questing"
  # shellcheck disable=SC2086
  bash scripts/private-root.sh .cache/restic restic 0.18 $suites || give_up "restic 0.18 or newer is needed, this is ${version:-none}"
}

# Ceph with its S3 gateway, as it is today and as old services still are. Elsewhere: those six programs and Ceph's libraries.
need_ceph() { # NAME MINIMUM SUITE...
  local name=$1
  shift
  [ ! -x ".cache/ceph-$name/usr/bin/radosgw" ] || return 0
  PROGRAMS="radosgw radosgw-admin ceph-mon ceph-osd monmaptool osdmaptool" bash scripts/private-root.sh ".cache/ceph-$name" \
    "radosgw ceph-mon ceph-osd" "$@" || give_up "the tests of S3 need Ceph $1 or newer of one of: ${*:2}"
}

# npm's own record of what it installed is compared with what package-lock.json wants; a newer file need not mean new content.
modules_match() {
  [ -e node_modules/.package-lock.json ] || return 1
  [ ! node_modules/.package-lock.json -nt package-lock.json ] || return 0
  node -e '
    const { readFileSync } = require("fs")
    const packages = (file) => JSON.parse(readFileSync(file, "utf8")).packages
    const wanted = packages("package-lock.json"), there = packages("node_modules/.package-lock.json")
    // The servers are optional for npm, so that it installs the rest on macOS; here they are needed.
    const needed = (name, optional) => !optional || /^node_modules\/pg\d+$/.test(name)
    const lacks = ([name, { integrity, optional }]) => name !== "" && (there[name] ? there[name].integrity !== integrity : needed(name, optional))
    process.exit(Object.entries(wanted).some(lacks) || Object.keys(there).some((name) => !wanted[name]) ? 1 : 0)'
}

command -v npm >/dev/null || give_up "Node and npm are needed: apt-get install nodejs npm"
if ! modules_match; then
  echo "setup: npm ci" >&2
  npm ci --no-audit --no-fund --loglevel=error >&2 || give_up "npm ci failed, see above"
fi
case $(node_modules/.bin/node --version 2>/dev/null || node --version) in
  v2[4-9].*) ;;
  *) give_up "Node 24 is needed and npm could not install it (are install scripts switched off? try: npm rebuild node)" ;;
esac

case $mode in
  demo) need_any_client ;;
  test)
    install_missing age=age zstd=zstd jq=jq shellcheck=shellcheck strace=strace git=git chromium=chromium gpg=gnupg xz=xz-utils openssl=openssl ssh-keygen=openssh-client rclone=rclone
    # Programs for root, which others have no path to. apache2-bin is the server without its service.
    PATH=$PATH:/usr/sbin install_missing sshd=openssh-server apache2=apache2-bin dockerd=docker.io pgbouncer=pgbouncer setfacl=acl getfattr=attr \
      nginx=nginx-light lighttpd=lighttpd dropbear=dropbear-bin proftpd=proftpd-core
    install_missing_files /usr/lib/nginx/modules/ngx_http_dav_ext_module.so=libnginx-mod-http-dav-ext /usr/lib/lighttpd/mod_webdav.so=lighttpd-mod-webdav \
      /usr/lib/proftpd/mod_sftp.so=proftpd-mod-crypto '/usr/lib/*/libnss_wrapper.so=libnss-wrapper' /usr/lib/sftp-server=openssh-sftp-server
    # Since Debian 13 the client has a package of its own.
    command -v docker >/dev/null || install docker-cli
    for major in 15 17 18; do need_client $major; done
    . /etc/os-release
    if [ "$ID" = ubuntu ]; then need_ceph current 18 noble questing resolute; need_ceph old 16 jammy
    else need_ceph current 18 trixie forky sid; need_ceph old 16 bookworm
    fi
    ;;
  bench)
    install_missing borg=borgbackup zstd=zstd
    [ -x /usr/bin/time ] || install time
    need_client 17
    need_restic
    ;;
esac
