# SPDX-License-Identifier: GPL-2.0-or-later
# Functions for the shell commands of faults. Their variables are listed in docs/faults.md.

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

# Restarts libvirtd as a sandbox starts it, for what it reads at its start, such as its hooks.
restart_libvirtd() {
    pid=$(cat /run/libvirtd.pid)
    kill "$pid"
    while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
    rm -f /run/libvirt/libvirt-sock
    libvirtd -d --pid-file /run/libvirtd.pid
    for _ in $(seq 100); do
        virsh -q list >/dev/null 2>&1 && return
        sleep 0.1
    done
    echo "libvirtd does not answer" >&2
    return 1
}

# Saves the rules of iptables for `restore_rules`.
keep_rules() { iptables-save >/run/fault.rules; }

restore_rules() { iptables-restore </run/fault.rules; }

# The DHCP server's configuration, as libvirt wrote it.
dnsmasq_conf="/var/lib/libvirt/dnsmasq/$PLUMBLINE_NETWORK.conf"
dnsmasq_pid="/run/libvirt/network/$PLUMBLINE_NETWORK.pid"

dnsmasq_words() { tr '\0' '\n' <"/proc/$(cat "$dnsmasq_pid")/cmdline"; }

start_dnsmasq() { VIR_BRIDGE_NAME="$PLUMBLINE_BRIDGE" "$@"; }

stop_dnsmasq() {
    pid=$(cat "$dnsmasq_pid")
    kill "$pid"
    while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
}

# Stops the network, and waits for its DHCP server: libvirt does not, and as long as that ends, the
# network's address is taken.
destroy_network() {
    pid=$(cat "$dnsmasq_pid")
    virsh -q net-destroy "$PLUMBLINE_NETWORK"
    while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
}

# Restarts the network's DHCP server with libvirt's command, its present configuration and further
# options of dnsmasq; without the options that match $dnsmasq_without, if it is set.
restart_dnsmasq() {
    words=$(dnsmasq_words | grep -v -e "${dnsmasq_without:-^$}")
    stop_dnsmasq
    # shellcheck disable=SC2086 - libvirt's words have no spaces in them
    start_dnsmasq $words "$@"
}

# Saves the DHCP server's command and configuration for `restore_dnsmasq`.
keep_dnsmasq() {
    cp "$dnsmasq_conf" /run/fault.conf
    dnsmasq_words >/run/fault.words
}

# Starts the server as it ran then, whether it runs now or not. libvirtd, which remembers the one that
# it started, reads the new one's number when it is restarted.
restore_dnsmasq() {
    if kill -0 "$(cat "$dnsmasq_pid")" 2>/dev/null; then stop_dnsmasq; fi
    cat /run/fault.conf >"$dnsmasq_conf"
    # shellcheck disable=SC2046 - libvirt's words have no spaces in them
    start_dnsmasq $(cat /run/fault.words)
    restart_libvirtd
}

# Saves whether iptables is called for bridged packets, of each family; a kernel without that has
# nothing to change.
keep_bridged_calls() {
    if ! sysctl net.bridge.bridge-nf-call-iptables net.bridge.bridge-nf-call-ip6tables \
        >/run/fault.called; then
        echo this kernel does not call iptables for bridged packets
        exit 77
    fi
}

restore_bridged_calls() { sysctl -q -p /run/fault.called; }

# Puts a script in place of virsh that takes the named commands and leaves them out.
virsh_without() {
    virsh=$(command -v virsh)
    cp "$virsh" /run/virsh.real
    {
        printf '#!/bin/sh\ncase " $* " in\n'
        printf '*" %s "*) exit ;;\n' "$@"
        printf 'esac\nexec /run/virsh.real "$@"\n'
    } >/run/virsh
    chmod +x /run/virsh
    mount --bind /run/virsh "$virsh"
}

restore_virsh() {
    umount "$(command -v virsh)"
    rm /run/virsh /run/virsh.real
}
