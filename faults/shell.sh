# SPDX-License-Identifier: GPL-2.0-or-later
# What the shell commands of faults may use. They see the variables that docs/faults.md lists.

# The n-th word of a list, from 1: `nth 2 $PLUMBLINE_TAPS`.
nth() {
    shift "$1"
    echo "$1"
}

# Waits until a bridge's port forwards, 10 s at most.
wait_forwarding() {
    for _ in $(seq 100); do
        bridge -d link show dev "$1" | grep -q 'state forwarding' && return
        sleep 0.1
    done
    echo "$1 does not forward" >&2
    return 1
}

# The DHCP server's configuration, as libvirt wrote it.
dnsmasq_conf="/var/lib/libvirt/dnsmasq/$PLUMBLINE_NETWORK.conf"
dnsmasq_pid="/run/libvirt/network/$PLUMBLINE_NETWORK.pid"

stop_dnsmasq() {
    pid=$(cat "$dnsmasq_pid")
    kill "$pid"
    while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
}

# Starts the network's DHCP server again as libvirt did, with its configuration as it is now and
# with further options of dnsmasq's; without the options that match $dnsmasq_without, if it is set.
restart_dnsmasq() {
    words=$(tr '\0' '\n' <"/proc/$(cat "$dnsmasq_pid")/cmdline" |
        grep -v -e "${dnsmasq_without:-^$}")
    stop_dnsmasq
    # shellcheck disable=SC2086 - libvirt's words have no spaces in them
    VIR_BRIDGE_NAME="$PLUMBLINE_BRIDGE" $words "$@"
}
