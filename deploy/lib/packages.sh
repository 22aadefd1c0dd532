# shellcheck shell=bash disable=SC2034
# Packages of Debian 12. `name:command` is satisfied by the command, wherever it comes from.

PACKAGES_RUN=(nginx postgresql-15 postgresql-client-15 sqitch libdbd-pg-perl openssl:openssl
    curl:curl ca-certificates nodejs:node npm:npm)
PACKAGES_BUILD=(gcc:gcc libc6-dev make:make autoconf:autoconf automake:automake autoconf-archive
    pkg-config:pkg-config libfcgi-dev libpq-dev libjson-c-dev libjwt-dev libssl-dev libargon2-dev
    libunistring-dev libcsv-dev libqrencode-dev libsystemd-dev libcurl4-openssl-dev)
PACKAGES_TEST=(libcunit1-dev postgresql-15-pgtap libtap-parser-sourcehandler-pgtap-perl
    python3-pytest python3-requests python3-psycopg2 python3-jsonschema python3-jwt
    python3-cryptography python3-aiosmtpd python3-pyflakes jq:jq
    chromium:chromium chromium-driver python3-selenium fonts-dejavu-core shellcheck:shellcheck
    spawn-fcgi systemd xz-utils git:git clang-format:clang-format clang:clang libclang-rt-dev clang-tidy:clang-tidy
    cppcheck:cppcheck valgrind:valgrind oathtool:oathtool)
PACKAGES_BENCH=(wrk:wrk)

# nginx and its like live where other users' PATH does not look.
PATH=$PATH:/usr/sbin:/sbin

package_present() {
    local name=${1%%:*} command=
    [[ $1 == *:* ]] && command=${1#*:}
    [[ -n $command ]] && command -v "$command" >/dev/null && return 0
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null) == installed ]]
}

# Names of those that are missing, one a line.
packages_missing() {
    local entry
    for entry in "$@"; do
        package_present "$entry" || printf '%s\n' "${entry%%:*}"
    done
}

# Packages must not start services, nor make a cluster that was not there before. Both files are
# put in place for the time of the installation only.
POLICY=/usr/sbin/policy-rc.d
CLUSTER_SNIPPET=/etc/postgresql-common/createcluster.d/lectern.conf

install_script() {
    cat <<SCRIPT
set -eu
policy=$POLICY
snippet=$CLUSTER_SNIPPET
had_nginx=\$(dpkg-query -W -f '\${db:Status-Status}' nginx 2>/dev/null || true)
had_postgresql=\$(dpkg-query -W -f '\${db:Status-Status}' postgresql-common 2>/dev/null || true)
clean() {
    rm -f "\$policy"
    if [ -e "\$policy.lectern-kept" ]; then mv "\$policy.lectern-kept" "\$policy"; fi
    rm -f "\$snippet"
    rmdir --ignore-fail-on-non-empty -p "\${snippet%/*}" 2>/dev/null || true
}
trap clean EXIT
trap 'exit 1' HUP INT TERM
if [ -e "\$policy" ] && [ ! -e "\$policy.lectern-kept" ]; then mv "\$policy" "\$policy.lectern-kept"; fi
printf '#!/bin/sh\\nexit 101\\n' >"\$policy"
chmod 755 "\$policy"
if [ "\$had_postgresql" != installed ]; then
    mkdir -p "\${snippet%/*}"
    printf 'create_main_cluster = false\\n' >"\$snippet"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -qq -o Acquire::Retries=3 update || true
apt-get -y -qq -o Dpkg::Options::=--force-confold -o DPkg::Lock::Timeout=120 install --no-install-recommends "\$@"
if [ "\$had_nginx" != installed ]; then
    DPKG_MAINTSCRIPT_PACKAGE=nginx-common deb-systemd-helper disable nginx.service >/dev/null 2>&1 || true
    update-rc.d nginx disable >/dev/null 2>&1 || true
fi
SCRIPT
}

# packages_install LOG ENTRY…
packages_install() {
    local log=$1 become=()
    local -a missing
    shift
    mapfile -t missing < <(packages_missing "$@")
    [[ ${#missing[@]} -eq 0 ]] && return 0
    if [[ ${NO_INSTALL:-0} == 1 ]]; then
        die "these packages are missing and --no-install was given: ${missing[*]}"
    fi
    command -v apt-get >/dev/null || die "apt-get is needed to install: ${missing[*]}"
    if ! is_root; then
        command -v sudo >/dev/null ||
            die "install these packages as root, or run as root or with sudo: ${missing[*]}"
        sudo -v || die "sudo refused"
        become=(sudo)
    fi
    step "installing ${#missing[@]} packages: ${missing[*]}"
    quietly 1800 "$log" "${become[@]}" sh -c "$(install_script)" install "${missing[@]}"
}
