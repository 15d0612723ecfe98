#!/bin/sh
# Brings a Debian 12 or 13 to where Equipoise builds, is tested or is measured:
#
#   tools/setup.sh build|test|bench|format|lint|soak
#
# Says what it would install and asks; YES=1, or no terminal, means yes. With nothing to do it is silent and quick.
set -eu
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }

die() {
    say "$*"
    exit 1
}

# What each purpose needs, as COMMAND:PACKAGE where any program of that name will do, else a Debian package.
build_needs='gcc:gcc cmake:cmake ninja:ninja-build pkg-config:pkg-config ld:binutils libc6-dev libuv1-dev libssl-dev
             libyaml-dev libsqlite3-dev libxxhash-dev zlib1g-dev libzstd-dev libc-ares-dev'
test_needs='clang:clang libcmocka-dev ca-certificates openssl:openssl curl:curl sqlite3:sqlite3 node:nodejs npm:npm python3:python3'
bench_needs='nginx:nginx haproxy:haproxy python3:python3 ca-certificates openssl:openssl'
format_needs='clang-format:clang-format'
lint_needs='clang-tidy:clang-tidy cppcheck:cppcheck'

case ${1-} in
build) needs=$build_needs ;;
test) needs="$build_needs $test_needs" ;;
bench) needs="$build_needs $bench_needs" ;;
format) needs=$format_needs ;;
lint) needs="$build_needs $test_needs $lint_needs" ;;
soak) needs="$build_needs $test_needs libclang-rt-$(clang -dumpversion | cut -d. -f1)-dev" ;; # libFuzzer; clang is there
*) die 'usage: tools/setup.sh build|test|bench|format|lint|soak' ;;
esac

# nginx and haproxy live in /usr/sbin, which an ordinary user's PATH lacks.
has_command() { PATH=$PATH:/usr/sbin command -v "$1" >/dev/null; }

# Prints the packages of the list that are missing. dpkg-query is asked once: it is what takes the time.
missing_of() {
    packages=
    for need in $1; do
        case $need in
        *:*) has_command "${need%%:*}" || echo "${need#*:}" ;;
        *) packages="$packages $need" ;;
        esac
    done
    [ -n "$packages" ] || return 0
    installed=" $(dpkg-query -W -f '${Package}:${db:Status-Status} ' $packages 2>/dev/null || true)"
    for package in $packages; do
        case $installed in
        *" $package:installed "*) ;;
        *) echo "$package" ;;
        esac
    done
}

# llhttp and yyjson: the system's, else those that were unpacked.
lacks_parsers() {
    [ "$needs" != "$format_needs" ] || return 1
    ! cmp -s tools/deps.lock build/deps/done && [ -n "$(missing_of 'libllhttp-dev libyyjson-dev')" ] &&
        { [ ! -f /usr/local/include/llhttp.h ] || [ ! -f /usr/local/include/yyjson.h ]; }
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif has_command sudo; then
        sudo "$@"
    else
        die "Installing needs root, and there is no sudo here. As root, run:
  apt-get update && apt-get install --no-install-recommends $missing
and then this again."
    fi
}

apt() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -q "$@" >&2; }

agree() {
    [ "${YES-}" != 1 ] && [ -t 0 ] || return 0
    printf 'Go on? [Y/n] ' >&2
    read -r answer
    case $answer in
    '' | [Yy]*) ;;
    *) die 'Nothing was installed.' ;;
    esac
}

# Debian starts and enables the servers that it installs. The bench runs its own; the user asked for none.
quieten_services() {
    has_command systemctl && [ -d /run/systemd/system ] || return 0
    for service in nginx haproxy; do
        case " $missing " in
        *" $service "*) as_root systemctl --quiet disable --now "$service" || true ;;
        esac
    done
}

install_packages() {
    # Unpacking alone needs neither root nor fresh lists.
    if [ -z "$missing" ] && ! apt-cache show libllhttp-dev libyyjson-dev >/dev/null 2>&1; then
        return 0
    fi
    apt update
    if [ "$parsers" = yes ] && apt-cache show libllhttp-dev libyyjson-dev >/dev/null 2>&1; then
        missing="$missing libllhttp-dev libyyjson-dev"
        parsers=no
    fi
    [ -z "$missing" ] || apt install -y --no-install-recommends $missing
    quieten_services
}

# Debian 12's Node is 18, which is what the tests ask for.
check_node() {
    case $needs in
    *node:*) ;;
    *) return 0 ;;
    esac
    version=$(node --version)
    major=${version#v}
    [ "${major%%.*}" -ge 18 ] || die "The tests need Node 18 or newer; $(command -v node) is $version. Please update it."
}

missing=$(missing_of "$needs" | tr '\n' ' ')
missing=${missing% }
if lacks_parsers; then parsers=yes; else parsers=no; fi

if [ -n "$missing" ] || [ "$parsers" = yes ]; then
    has_command apt-get || die "This system has no apt. Please install the equivalents of: $missing libllhttp-dev libyyjson-dev"
    [ -z "$missing" ] || say "To be installed with apt: $missing"
    [ "$parsers" = no ] ||
        say 'To be installed with apt, or where Debian has no such packages unpacked into build/deps: llhttp yyjson'
    case " $missing " in
    *" nginx "* | *" haproxy "*) say 'The services nginx and haproxy that come with them will be stopped and disabled.' ;;
    esac
    agree
    install_packages
    [ "$parsers" = no ] || tools/fetch-deps.sh
fi
check_node
