# SPDX-License-Identifier: GPL-2.0-or-later
"""IPv6 of the networks that a machine has: decided as far as being there decides it."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.guest import image as images
from tests.existing_verdicts import every, reach, run_on
from tests.host_with_networks import (
    BEYOND,
    ROUTER_ON_LINK,
    MachineWithNetworks,
    machine_with_networks,
)

pytestmark = pytest.mark.host

# Each of another forward mode, and none with <nat ipv6='yes'/>.
MORE = {
    "routed6": ("<forward mode='route'/>", 41),
    "plain6": ("<forward mode='nat'/>", 42),
    "closed6": ("", 43),
}
NETWORK = """\
<network>
  <name>{name}</name>
  {forward}
  <bridge name='vir{name}' stp='off'/>
  <ip address='10.98.{number}.1' netmask='255.255.255.0'>
    <dhcp>
      <range start='10.98.{number}.2' end='10.98.{number}.254'/>
    </dhcp>
  </ip>
  <ip family='ipv6' address='fd00:98:{number}::1' prefix='64'/>
</network>
"""


@pytest.fixture(scope="module")
def machine() -> Iterator[MachineWithNetworks]:
    image = images.cached()
    assert image is not None
    with machine_with_networks(image) as made:
        yield made


def test_a_translated_network_and_a_bridge_over_a_nic(
    machine: MachineWithNetworks, tmp_path: Path
) -> None:
    claims = (
        "V6-01",
        "V6-02",
        "V6-03",
        "V6-04",
        "V6-05",
        "V6-08",
        "V6-09",
        "V6-11",
        "V6-12",
        "V6-31",
    )
    asked = ("--network", "default", "--bridge", "br0")
    record, verdicts = run_on(machine, tmp_path, *asked, claims=(*claims, "GN-09", "BR-06"))
    for network in ("network-default", "bridge-br0"):
        for cell in ("guest-to-guest", "guest-to-host", "host-to-guest"):
            assert reach(network, cell, verdicts) == every("conforms"), (network, cell)
        outside = reach(network, "guest-to-outside", verdicts)
        assert outside == every("not-testable") | {"icmp": "conforms"}, verdicts
        for name in ("ipv6_advertisements.guests_take_the_prefix", "ipv6_neighbours"):
            found = {v for key, v in verdicts.items() if key.startswith(name) and network in key}
            assert {verdict for verdict, _ in found} == {"conforms"}, found
    # It sees the host's address alone.
    _, by_router = verdicts["connectivity.reach[network-default-guest-to-outside-icmp-ipv6]"]
    assert f"they leave as {BEYOND.host}" in by_router
    decided = {
        name
        for name, (verdict, _) in verdicts.items()
        if name.startswith("ipv6_") and name.endswith("[network-default]") and verdict == "conforms"
    }
    assert {name.partition(".")[2].partition("[")[0] for name in decided} == {
        *("guests_take_the_prefix", "neighbours_answer", "prefix_is_advertised"),
        *("prefix_is_masqueraded", "rules_let_nothing_in"),
    }
    # The others say what they would change, or what they lack.
    for name, words in (
        ("ipv6_router_kept.router_of_the_host_is_kept", "only with --disruptive"),
        ("ipv6_rules.no_sample_comes_in", "stays as it is"),
        ("ipv6_untranslated.without_translation_it_is_routed", "an outside machine is needed"),
        ("connectivity.no_reach", "an outside machine is needed"),
    ):
        [*found] = [said for key, said in verdicts.items() if key.startswith(name)]
        assert {verdict for verdict, _ in found} == {"not-testable"}, found
        assert all(words in reason for _, reason in found), found
    # Both addresses of each guest are in the record.
    nodes = {each["name"]: each["built"]["nodes"] for each in record["topologies"] if each["built"]}
    guests = [node["lines"] for node in nodes["bridge-br0"] if node["kind"] == "guest"]
    assert all(lines[1].startswith("2001:db8:1:0:") for lines in guests), guests
    assert all(lines[1].endswith(" by SLAAC") for lines in guests), guests


@contextlib.contextmanager
def started(machine: MachineWithNetworks, name: str) -> Iterator[None]:
    forward, number = MORE[name]
    with machine.with_network(NETWORK.format(name=name, forward=forward, number=number)):
        yield


def test_networks_that_translate_no_ipv6(machine: MachineWithNetworks, tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        asked: list[str] = []
        for name in MORE:
            stack.enter_context(started(machine, name))
            asked += ["--network", name]
        numbers = (2, 3, 6, 7, 9, 13, 14, 15)
        claims = ("RT-02", *(f"V6-{number:02}" for number in numbers))
        _, verdicts = run_on(machine, tmp_path, *asked, claims=claims)
    for name in MORE:
        assert reach(f"network-{name}", "guest-to-host", verdicts) == every("conforms")
    for name, verdict in (
        ("ipv6_rules.nothing_is_translated[network-routed6]", "conforms"),
        ("ipv6_rules.outside_needs_a_route[network-routed6]", "not-testable"),
        ("ipv6_untranslated.without_translation_it_is_routed[network-plain6]", "conforms"),
        ("ipv6_advertisements.prefix_is_advertised[network-closed6]", "conforms"),
        ("ipv6_advertisements.guests_take_the_prefix[network-closed6]", "conforms"),
        ("ipv6_rules.rules_let_nothing_in[network-closed6]", "conforms"),
        ("ipv6_rules.rules_let_nothing_out[network-closed6]", "conforms"),
        ("ipv6_rules.isolated_is_not_masqueraded[network-closed6]", "conforms"),
    ):
        assert verdicts[name][0] == verdict, verdicts[name]
    # The router beyond has no way back, and what it was asked came by as it should.
    verdict, reason = verdicts["connectivity.reach[network-routed6-guest-to-outside-icmp-ipv6]"]
    assert verdict == "inconclusive", reason
    assert "may have no way to fd00:98:41::/64" in reason
    # Nothing arrived there, and nothing was lifted for a control.
    verdict, reason = verdicts["connectivity.no_reach[network-closed6-guest-to-outside-icmp-ipv6]"]
    assert verdict == "inconclusive", reason
    assert f"{BEYOND.router}, its router" in reason


def test_a_bridge_where_no_router_advertises_its_prefix(
    machine: MachineWithNetworks, tmp_path: Path
) -> None:
    own = ["2001:db8:99::1/64", "dev", "br-ex"]
    machine.host.run(["ip", "address", "add", *own, "nodad"])
    try:
        asked = ("--network", "br-ex-net", "--addresses", "10.99.0.50-10.99.0.59")
        record, verdicts = run_on(machine, tmp_path, *asked, claims=("OV-05", "V6-02", "V6-03"))
    finally:
        machine.host.run(["ip", "address", "delete", *own])
    by_ipv6 = [said for name, said in verdicts.items() if "ipv6" in name]
    by_ipv4 = [said for name, said in verdicts.items() if "ipv6" not in name]
    assert by_ipv6
    assert {verdict for verdict, _ in by_ipv4} == {"conforms"}, by_ipv4
    assert {verdict for verdict, _ in by_ipv6} == {"not-testable"}, by_ipv6
    lacks = "the host lacks a router that advertises 2001:db8:99::/64 on br-ex"
    assert all(reason.startswith(lacks) for _, reason in by_ipv6), by_ipv6
    assert not [each for each in record["topologies"] if each["verdict"] == "violates"]


BREAKS = (
    # libvirt's dnsmasq is not heard.
    "-I OUTPUT -o virbr0 -p icmpv6 --icmpv6-type router-advertisement -j DROP",
    "-t nat -I POSTROUTING -s fd00:98:41::/64 -j MASQUERADE",
    "-I FORWARD -i br0 -o virplain6 -p tcp -j DROP",
)


@contextlib.contextmanager
def router_by_its_link_alone(machine: MachineWithNetworks) -> Iterator[None]:
    """Have the host know its router by its link-local address for a `with` block."""
    replace = ["ip", "-6", "route", "replace", "default", "dev", "br0", "via"]
    machine.host.run([*replace, ROUTER_ON_LINK])
    try:
        yield
    finally:
        machine.host.run([*replace, str(BEYOND.router)])


@contextlib.contextmanager
def ruled(machine: MachineWithNetworks, rule: str) -> Iterator[None]:
    """Have a rule of ip6tables in front of all others of its chain for a `with` block."""
    machine.host.run(["ip6tables", "-w", *rule.split()])
    try:
        yield
    finally:
        machine.host.run(["ip6tables", "-w", *rule.replace("-I ", "-D ").split()])


def test_breaks_of_ipv6_are_seen_and_ipv4_is_decided(
    machine: MachineWithNetworks, tmp_path: Path
) -> None:
    with contextlib.ExitStack() as stack:
        for name in ("routed6", "plain6"):
            stack.enter_context(started(machine, name))
        for rule in BREAKS:
            stack.enter_context(ruled(machine, rule))
        stack.enter_context(router_by_its_link_alone(machine))
        asked = ("--network", "default", "--network", "routed6", "--network", "plain6")
        asked += ("--bridge", "br0")
        claims = ("NT-12", "V6-01", "V6-02", "V6-03", "V6-09", "V6-14", "BR-06", "RT-02")
        _, verdicts = run_on(machine, tmp_path, *asked, claims=claims)
    violated = {name for name, (verdict, _) in verdicts.items() if verdict == "violates"}
    assert violated == {
        "ipv6_advertisements.prefix_is_advertised[network-default]",
        "ipv6_advertisements.guests_take_the_prefix[network-default]",
        "ipv6_rules.nothing_is_translated[network-routed6]",
        "ipv6_untranslated.without_translation_it_is_routed[network-plain6]",
    }, verdicts
    _, refused = verdicts["ipv6_untranslated.without_translation_it_is_routed[network-plain6]"]
    assert "no connection of the outside to a guest is let through by tcp" in refused
    # Such a router is asked on its own link, and not through the host.
    outside = "guest-to-outside-icmp-ipv6]"
    verdict, reason = verdicts[f"connectivity.reach[bridge-br0-{outside}"]
    assert (verdict, f"→ {ROUTER_ON_LINK}: answered" in reason) == ("conforms", True), reason
    verdict, reason = verdicts[f"connectivity.reach[network-routed6-{outside}"]
    assert (verdict, ROUTER_ON_LINK in reason) == ("not-testable", True), reason
    cells = {n: v for n, (v, _) in verdicts.items() if "each[network-default-guest-to-host" in n}
    by_ipv6 = {verdict for name, verdict in cells.items() if name.endswith("-ipv6]")}
    by_ipv4 = {verdict for name, verdict in cells.items() if not name.endswith("-ipv6]")}
    assert (by_ipv6, by_ipv4) == ({"inconclusive"}, {"conforms"}), verdicts
