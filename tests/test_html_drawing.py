# SPDX-License-Identifier: GPL-2.0-or-later
"""The drawing of a topology, its arrows, the strip plots and the matrix: shapes with places."""

import sys
from itertools import combinations, pairwise

import pytest

from reports.html.measurement_plots import plot, plots_of, side_by_side
from reports.html.reach_table import ways
from reports.html.strip_plot import WIDTH, figure, ticks
from reports.html.topology_drawing import DrawnBox, TopologyDrawing, drawing
from reports.record import Built, BuiltLink, BuiltNode, Check, Measurement, Verdict
from reports.verdict_matrix import matrix
from tests.html_run import C, E, N, U, V, check, full, graph, reached, record, way

ALL_WAYS = list(
    reached(
        "nat",
        guest_to_guest=C,
        guest_to_host=C,
        host_to_guest=V,
        guest_to_outside=U,
        no_outside_to_guest=C,
    )
)


def drawn(built: Built, checks: list[Check] | None = None) -> TopologyDrawing:
    made = drawing(built, ways(ALL_WAYS if checks is None else checks))
    assert made is not None
    return made


def overlap(one: DrawnBox, other: DrawnBox) -> bool:
    return (
        one.x < other.x + other.width
        and other.x < one.x + one.width
        and one.y < other.bottom
        and other.y < one.bottom
    )


@pytest.mark.parametrize("guests", [0, 1, 2, 5])
@pytest.mark.parametrize("joined", [True, False])
def test_boxes_stand_apart_inside_the_drawing(guests: int, *, joined: bool) -> None:
    made = drawn(graph(guests, joined=joined))
    [host] = [box for box in made.boxes if box.kind == "host"]
    inside = [box for box in made.boxes if box.kind in ("bridge", "tap", "uplink")]
    others = [box for box in made.boxes if box not in inside]
    assert len([box for box in made.boxes if box.kind == "guest"]) == guests
    for box in made.boxes:
        assert 0 <= box.x <= box.x + box.width <= made.width
        assert 0 <= box.y <= box.bottom <= made.height
    for one, other in [*combinations(inside, 2), *combinations(others, 2)]:
        assert not overlap(one, other), (one, other)
    for box in inside:
        assert host.x < box.x
        assert host.y < box.y
        assert box.x + box.width < host.x + host.width
        assert box.bottom < host.bottom


def test_lines_join_what_is_joined_and_only_that() -> None:
    kinds = [line.kind for line in drawn(graph()).lines]
    assert sorted(kinds) == ["cable", "cable", "nic", "nic", "port", "port", "routed"]
    apart = [line.kind for line in drawn(graph(joined=False)).lines]
    assert "port" not in apart
    assert apart.count("nic") == 2


def test_a_line_ends_at_its_boxes() -> None:
    made = drawn(graph())
    for line in made.lines:
        upper = [box for box in made.boxes if box.bottom == line.y1]
        lower = [box for box in made.boxes if box.y == line.y2]
        assert [box for box in upper if box.x <= line.x1 <= box.x + box.width]
        assert [box for box in lower if box.x <= line.x2 <= box.x + box.width]


def test_functions_of_a_nic_are_drawn_below_it() -> None:
    nodes = [
        BuiltNode(id="host", kind="host", name="host"),
        BuiltNode(id="host/enp1s0", kind="pf", name="enp1s0", within="host", lines=["x"]),
        BuiltNode(id="vf/kvm1", kind="vf", name="0000:01:10.1", within="host"),
        BuiltNode(id="guest/kvm1", kind="guest", name="kvm1"),
        BuiltNode(id="lan", kind="lan", name="lan"),
    ]
    links = [
        BuiltLink(ends=("guest/kvm1", "vf/kvm1"), kind="nic"),
        BuiltLink(ends=("vf/kvm1", "host/enp1s0"), kind="function"),
        BuiltLink(ends=("lan", "host/enp1s0"), kind="cable", name="wire of enp2s0"),
    ]
    made = drawn(Built(nodes=nodes, links=links), [])
    at = {box.kind: box.y for box in made.boxes}
    assert at["lan"] < at["host"] < at["pf"] < at["vf"] < at["guest"]
    assert "enp1s0, physical function" in [box.title for box in made.boxes]
    assert "wire of enp2s0" in [line.label for line in made.lines]


def test_what_is_no_network_is_not_drawn() -> None:
    assert drawing(Built(), []) is None
    assert drawing(Built(nodes=[BuiltNode(id="host", kind="host", name="host")]), []) is None


def test_long_names_stay_in_their_box() -> None:
    long = BuiltNode(id="host/br", kind="bridge", name="br", within="host", lines=["x" * 300])
    host = BuiltNode(id="host", kind="host", name="host")
    [box] = [b for b in drawn(Built(nodes=[host, long]), []).boxes if b.kind == "bridge"]
    assert len(box.lines) > 5
    assert max(len(text) for _, text in box.lines) * 6 < box.width


@pytest.mark.parametrize(
    ("name", "verdict", "shape"),
    [
        ("guest_to_host", C, "through"),
        ("guest_to_host", V, "stopped"),
        ("no_outside_to_guest", C, "stopped"),
        ("no_outside_to_guest", V, "through"),
        ("guest_to_host", U, "open"),
        ("guest_to_host", N, "open"),
        ("no_outside_to_guest", E, "open"),
    ],
)
def test_an_arrow_arrives_where_packets_did(name: str, verdict: Verdict, shape: str) -> None:
    [arrow] = drawn(graph(), list(reached("nat", **{name: verdict}))).arrows
    assert (arrow.shape, arrow.verdict) == (shape, verdict)


def test_an_arrow_is_as_bad_as_its_worst_protocol_and_names_it() -> None:
    checks = [
        check("connectivity.a", C, reach=way("guest", "host", "icmp")),
        check("connectivity.b", V, reach=way("guest", "host", "tcp")),
        check("connectivity.c", C, reach=way("guest", "host", "udp")),
    ]
    [arrow] = drawn(graph(), checks).arrows
    assert (arrow.verdict, arrow.below) == (V, "TCP")
    assert arrow.says == "guest is to reach host: ICMP conforms, TCP violates, UDP conforms"


def test_arrows_have_lanes_of_their_own() -> None:
    made = drawn(graph())
    lanes = [arrow.x1 for arrow in made.arrows if arrow.x1 == arrow.x2]
    assert len(lanes) == len(set(lanes)) == 4
    assert max(lanes) < made.width
    right = max(box.x + box.width for box in made.boxes)
    assert min(lanes) > right


def test_each_family_has_its_own_arrow_and_ipv6_is_named() -> None:
    among, to_host = way("guest", "guest", "icmp"), way("guest", "host", "icmp")
    checks = [
        check(f"connectivity.{number}-{family}", C if family == "ipv4" else V, reach=reach)
        for number, cell in enumerate((among, to_host))
        for family in ("ipv4", "ipv6")
        for reach in (cell.model_copy(update={"family": family}),)
    ]
    arrows = drawn(graph(), checks).arrows
    assert len({(a.x1, a.y1, a.x2, a.y2) for a in arrows}) == len(arrows) == 4
    assert {(a.says, a.verdict) for a in arrows} == {
        ("guest is to reach guest: ICMP conforms", C),
        ("guest is to reach guest by IPv6: ICMP violates", V),
        ("guest is to reach host: ICMP conforms", C),
        ("guest is to reach host by IPv6: ICMP violates", V),
    }


def test_without_an_outside_no_arrow_leads_there() -> None:
    checks = list(reached("nat", guest_to_outside=C, guest_to_host=C))
    built = graph()
    inner = [node for node in built.nodes if node.kind not in ("outside", "lan", "uplink")]
    made = drawn(built.model_copy(update={"nodes": inner}), checks)
    assert len(made.arrows) == 1


LARGEST = sys.float_info.max


def measured(*samples: float) -> Measurement:
    return Measurement(name="rate", unit="Mbit/s", samples=list(samples))


@pytest.mark.parametrize(
    ("low", "high"), [(0, 0), (5, 5), (-3, -3), (0.001, 0.0011), (168, 2390), (0, 1), (-4, 7e9)]
)
def test_an_axis_holds_its_values_between_round_numbers(low: float, high: float) -> None:
    marks = ticks(low, high)
    assert marks[0] <= low <= high <= marks[-1]
    assert 2 <= len(marks) <= 7
    steps = {round((b - a) / (marks[1] - marks[0]), 6) for a, b in pairwise(marks)}
    assert steps == {1}


def test_a_rate_that_never_was_negative_has_no_negative_axis() -> None:
    assert ticks(0, 0)[0] == 0
    assert ticks(7, 7)[0] >= 0


def test_a_plot_has_each_sample_in_order_and_the_median() -> None:
    made = plot(measured(3, 1, 2))
    assert made is not None
    [row] = made.strip.rows
    xs, ys = [p.x for p in row.points], [p.y for p in row.points]
    assert xs[1] < xs[2] < xs[0]
    assert ys == sorted(ys)
    assert row.median_x == xs[2]
    assert made.strip.says == "rate: 3 samples, median 2 Mbit/s, from 1 to 3"


def test_one_sample_is_called_one() -> None:
    made = plot(measured(2.5))
    assert made is not None
    assert made.strip.says == "rate: 1 sample 2.5 Mbit/s"


def test_a_cold_sample_is_shown_and_does_not_count() -> None:
    made = plot(Measurement(name="rate", unit="Mbit/s", samples=[1, 30, 10, 20], cold=1))
    assert made is not None
    [row] = made.strip.rows
    assert [point.cold for point in row.points] == [True, False, False, False]
    assert (made.median, made.number) == ("20", 3)
    assert made.strip.says == (
        "rate: 3 samples, median 20 Mbit/s, from 10 to 30, and a cold first one that does not count"
    )


def test_without_samples_there_is_no_plot() -> None:
    assert plots_of([measured()]) == []


@pytest.mark.parametrize(
    "samples",
    [
        (1e308, -1e308),
        (LARGEST, -LARGEST),
        (LARGEST,),
        (-LARGEST,),
        (LARGEST, LARGEST * 0.999999),
        (5e-324,),
        (5e-324, 0.0),
        (1e16, 1e16 + 2),
    ],
)
def test_samples_at_the_ends_of_what_a_number_can_be_have_a_plot(samples: list[float]) -> None:
    made = plot(measured(*samples))
    assert made is not None
    [row] = made.strip.rows
    places = [*(p.x for p in row.points), row.median_x, *(tick.x for tick in made.strip.ticks)]
    assert all(0 <= x <= WIDTH for x in places), places
    assert "inf" not in made.strip.says


def test_many_samples_are_told_in_part() -> None:
    made = plot(measured(*range(1000)))
    assert made is not None
    assert len(made.samples) + made.more == len(made.strip.rows[0].points) == 1000
    assert made.more > 0


def test_what_is_compared_has_one_axis() -> None:
    checks = [
        check("t.a", C, topology="nat", measurements=(measured(1, 2),)),
        check("t.a", C, topology="ovs", measurements=(measured(900),)),
        check("t.b", C, measurements=(Measurement(name="other", unit="s", samples=[1]),)),
    ]
    [only] = side_by_side(checks)
    assert [topology for topology, _, _ in only.rows] == ["nat", "ovs"]
    assert only.rows[0][2].strip.ticks == only.rows[1][2].strip.ticks


@pytest.mark.parametrize(
    ("value", "said"), [(2338, "2338"), (0.5234, "0.5234"), (168.46, "168.5"), (12345.6, "12346")]
)
def test_a_figure_is_written_as_one_does(value: float, said: str) -> None:
    assert figure(value) == said


def test_the_matrix_counts_every_check_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    run = full(tmp_path_factory.mktemp("run"))
    made = matrix(run)
    assert sum(number for row in made.rows for cell in row.cells for _, number in cell.counts) == (
        len(run.checks)
    )
    assert dict(made.all.all.counts) == dict(run.counts())


def test_a_cell_is_as_bad_as_its_gravest_check_and_leads_to_it() -> None:
    run = record([check("dhcp.a", C), check("dhcp.b", N), check("dhcp.c", V), check("stp.a", C)])
    [dhcp, stp] = matrix(run).rows
    [cell] = dhcp.cells
    assert cell.counts == [(C, 1), (V, 1), (N, 1)]
    assert cell.verdict is V
    assert cell.first is run.checks[2]
    assert stp.cells[0].verdict is C
