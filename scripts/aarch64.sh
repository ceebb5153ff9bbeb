# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# aarch64.sh - sourced by .ci/run: a cross compiler, and Debian's arm64 libraries
# in a folder of the build, so that the machine needs no foreign architecture

# aarch64_root FOLDER: unpack the libraries of ORIEL_BUILD_PACKAGES and what they
# depend on.
aarch64_root() {
    local root=$1 state=$1.apt package
    set --
    for package in $ORIEL_BUILD_PACKAGES; do
        case $package in *-dev) set -- "$@" "$package" ;; esac
    done
    if [ "$(cat "$state/installed.txt" 2>/dev/null)" = "$*" ]; then
        return
    fi
    say "Unpacking Debian's arm64 packages into $root"
    rm -rf "$root" "$state"
    mkdir -p "$root" "$state/lists/partial" "$state/cache/archives/partial"
    : >"$state/status"
    local options=(-qq -o APT::Architecture=arm64 -o APT::Architectures=arm64
        -o "Dir::State::lists=$state/lists" -o "Dir::Cache=$state/cache"
        -o "Dir::State::status=$state/status" -o APT::Sandbox::User=
        -o Debug::NoLocking=1)
    apt-get "${options[@]}" update &&
        apt-get "${options[@]}" -y --no-install-recommends --download-only \
            install "$@" || return
    for package in "$state"/cache/archives/*.deb; do
        dpkg-deb -x "$package" "$root" || return
    done
    # Absolute links would lead out of the folder.
    local link
    while read -r link; do
        ln -sfn "$root$(readlink "$link")" "$link" || return
    done < <(find "$root" -type l -lname '/*')
    echo "$*" >"$state/installed.txt"
}
