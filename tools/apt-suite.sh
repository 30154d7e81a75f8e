# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh
# Sourced by the tools that download Debian packages. The mirror is the one that this machine's own
# apt uses, whatever its name: only the suite is replaced.

tries=3

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

retry() {
    n=1
    until "$@"; do
        [ $n -ge $tries ] && return 1
        sleep $((n * 5))
        n=$((n + 1))
    done
}

# use_suite SUITE PACKAGE: leaves an apt whose candidate of PACKAGE is SUITE's newest.
use_suite() {
    if [ "$(. /etc/os-release && echo "${VERSION_CODENAME:-}")" = "$1" ]; then
        has_candidate "$2" || retry as_root apt-get -q update >&2
        has_candidate "$2" && return 0
    fi
    private_suite "$1"
    has_candidate "$2" || {
        echo "apt: no package $2 in $1 on this machine's mirror" >&2
        return 1
    }
}

has_candidate() {
    apt-cache policy "$1" 2>/dev/null | grep -q '^ *Candidate: [0-9]'
}

# A private apt (lists, cache, sources) beside the system's, below build/: nothing of the system changes.
private_suite() {
    apt_dir=$(pwd)/build/apt/$1
    mkdir -p "$apt_dir/lists/partial" "$apt_dir/cache/archives/partial" "$apt_dir/empty"
    key=/usr/share/keyrings/debian-archive-keyring.gpg
    [ -e $key ] && signed="[signed-by=$key] " || signed=
    codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
    # shellcheck disable=SC2016 # the $(WORDS) are apt's
    apt-get indextargets --no-release-info --format '$(RELEASE) $(REPO_URI)' \
        'Created-By: Packages' | sort -u >"$apt_dir/targets"
    while read -r release uri; do
        case $release in
        "$codename") echo "deb $signed$uri $1 main" ;;
        "$codename-security") echo "deb $signed$uri $1-security main" ;;
        esac
    done <"$apt_dir/targets" >"$apt_dir/sources.list"
    [ -s "$apt_dir/sources.list" ] || {
        echo "apt: this machine's sources have no Debian $codename to take the mirror from" >&2
        return 1
    }
    cat >"$apt_dir/apt.conf" <<EOC
Dir::Etc::sourcelist "$apt_dir/sources.list";
Dir::Etc::sourceparts "$apt_dir/empty";
Dir::Etc::preferencesparts "$apt_dir/empty";
Dir::State::lists "$apt_dir/lists";
Dir::Cache "$apt_dir/cache";
EOC
    export APT_CONFIG="$apt_dir/apt.conf"
    retry apt-get -q update >&2
}

# download DIR PACKAGE...: the .deb files into DIR. Lists that are too old for the mirror are renewed.
download() {
    download_dir=$1
    shift
    if (cd "$download_dir" && apt-get -q -o APT::Sandbox::User=root download "$@") >&2; then
        return 0
    fi
    if [ -n "${APT_CONFIG:-}" ]; then
        apt-get -q update >&2
    else
        as_root apt-get -q update >&2
    fi
    (cd "$download_dir" && retry apt-get -q -o APT::Sandbox::User=root download "$@") >&2
}
