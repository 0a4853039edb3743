# shellcheck shell=bash disable=SC2034
# An empty Debian, and commands in it: tests/archive.sh, tests/wheel.sh and tests/fresh-machine.sh source this file. Nothing of this
# machine but the kernel helps there, and of its environment the network settings alone. Needs root and debootstrap.
machine=$(mktemp -d)
home=$machine/root
certificates=/etc/ssl/certs/ca-certificates.crt
mapfile -t network < <(env | grep -E '^(https?_proxy|no_proxy|HTTPS?_PROXY|NO_PROXY|PIP_INDEX_URL)=' || true)
network+=("PIP_CERT=$certificates" "SSL_CERT_FILE=$certificates" PIP_DISABLE_PIP_VERSION_CHECK=1)

remove_machine() {
    local mount
    while read -r mount; do umount --lazy "$mount"; done < <(awk -v at="$machine/" 'index($2, at) == 1 { print $2 }' /proc/mounts)
    rm -rf --one-file-system "$machine"
}
trap remove_machine EXIT

# make_debian SUITE [PACKAGE,PACKAGE…]: lays out the system, with further packages.
make_debian() {
    debootstrap --variant=minbase ${2:+"--include=$2"} "$1" "$machine" >"$machine.log" 2>&1 || { tail "$machine.log"; exit 1; }
    rm -f "$machine.log"
    install -D --mode 644 "$certificates" "$machine$certificates"
    cp /etc/resolv.conf "$machine/etc/"
}

# online COMMAND, offline COMMAND: run a command in /root of the system, with the network and with the loopback alone.
online() { enter "" "$1" "${network[@]}"; }
offline() { enter --net "$1"; }
enter() {
    local net=$1 command=$2
    shift 2
    # shellcheck disable=SC2016  # The inner shells expand.
    env -i PATH="${inner_path:-/usr/sbin:/usr/bin:/sbin:/bin}" HOME=/root LANG=C.UTF-8 "$@" unshare ${net:+"$net"} --mount --pid --fork bash -c '
        [ -z "$3" ] || ip link set lo up
        mount -t proc proc "$1/proc" && mkdir -p "$1/dev/shm" && mount -t tmpfs tmpfs "$1/dev/shm" && exec chroot "$1" bash -ec "cd /root; $2"' enter "$machine" "$command" "$net"
}

# milliseconds_since NANOSECONDS: the time since a moment of date +%s%N.
milliseconds_since() { echo $((($(date +%s%N) - $1) / 1000000)); }
