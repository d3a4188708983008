# SPDX-License-Identifier: GPL-2.0-or-later
"""Quality of service on an Open vSwitch bridge: a port's rate held near the figure set.

Open vSwitch has three ways to it. Policing by `ingress_policing_rate` and shaping by `linux-htb`
are done by the kernel, an OpenFlow meter by the switch itself.
"""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from statistics import median

import pytest

from fixtures.errors import Inconclusive, NotTestable, TrialFailed
from fixtures.host.links import add_address
from fixtures.plugin.sampling import Sampling, Series
from fixtures.probe.evidence import Evidence
from fixtures.probe.station import NIC, Station, station
from fixtures.probe.throughput import TRIALS, Far, tcp_mbit_s, udp
from fixtures.probe.traffic_control import POLICING, refused
from fixtures.switch.ovs_bridge import OvsBridge
from fixtures.switch.qos import MeterLost, metered, policed, shaped
from fixtures.testbed.testbed import Testbed

FIGURE_MBIT_S = 10.0
# A policer's burst: a tenth of a second's worth, and room for some full frames.
BURST_MBIT = 1.0
# Near: a burst at the beginning of a trial of one second is a tenth more, the rest is for what the
# tools count (payload, not frames) and for a busy machine.
NEAR = (0.7, 1.3)
LOW_MBIT_S, HIGH_MBIT_S = (FIGURE_MBIT_S * factor for factor in NEAR)
# Offered by UDP, which no loss slows down, and what the control must reach without a limit: where
# three times the figure pass beside other work, no load holds a rate near the figure.
OFFERED_MBIT_S = 4 * FIGURE_MBIT_S
UNLIMITED_MBIT_S = 3 * FIGURE_MBIT_S
# Addresses for documentation (RFC 5737): unused on the bridge.
SENDER, RECEIVER = "198.51.100.1", "198.51.100.2"


@dataclass(frozen=True)
class Rates:
    """Rates in Mbit/s, one sample per trial.

    Attributes:
        free: without a limit, before and after.
        held: with it.
    """

    free: list[float]
    held: list[float]

    @property
    def near(self) -> bool:
        """Whether the rate is held near the figure."""
        return LOW_MBIT_S <= median(self.held) <= HIGH_MBIT_S

    def __str__(self) -> str:
        free = ", ".join(f"{rate:.0f}" for rate in self.free)
        held = ", ".join(f"{rate:.1f}" for rate in self.held)
        return f"{held} Mbit/s at a figure of {FIGURE_MBIT_S:g}; {free} without it"


@pytest.mark.lengthy
@pytest.mark.alone(after_a_miss=True)
@pytest.mark.claims("OV-14")
@pytest.mark.needs("ovs", "iperf3")
def test_ingress_policing(testbed: Testbed, evidence: Evidence, sampling: Sampling) -> None:
    """`ingress_policing_rate` holds what a port receives near the figure.

    Preconditions:
        - the kernel takes the policer that Open vSwitch asks it for
    Steps:
        1. Plug two stations into the bridge.
        2. Offer four times the figure by UDP from one to the other, without a limit.
        3. Set the limit on the sender's port, and repeat in several trials.
        4. Remove the limit, and offer the same once more.
    Verify:
        - with the limit the median of the rates that arrive is between 0.7 and 1.3 times the figure
        - control: without it, before and after, at least three times the figure arrives; else the
          check is inconclusive
        - control: a rate below that, twice, while other processes used a tenth of the machine's CPU
          time, is inconclusive
        - where the rate is not held and the kernel refuses the policer, the check is not testable
    """
    with _stations(testbed) as (sender, receiver):
        rates = _measured(
            sampling,
            lambda: policed(testbed.host, sender.port, FIGURE_MBIT_S, BURST_MBIT),
            lambda: udp(sender.machine, Far(receiver.machine, RECEIVER), OFFERED_MBIT_S).mbit_s,
        )
    _keep(evidence, rates)
    if not rates.near and (refusal := refused(testbed.host, *POLICING)):
        seen = f"{refusal}; the switch takes the setting, and the rate is {rates}"
        raise NotTestable("the kernel's policer (police action)", seen)
    _require_near(rates)


@pytest.mark.lengthy
@pytest.mark.alone(after_a_miss=True)
@pytest.mark.claims("OV-14")
@pytest.mark.needs("ovs", "iperf3", "htb")
def test_egress_shaping(testbed: Testbed, evidence: Evidence, sampling: Sampling) -> None:
    """A `linux-htb` queue holds what leaves a port near the figure.

    Preconditions:
        - two stations can be plugged into the bridge, with addresses that nothing else has
    Steps:
        1. Plug two stations into the bridge.
        2. Measure TCP from one to the other, without a limit.
        3. Set the queue on the receiver's port, and repeat in several trials.
        4. Remove the queue, and measure once more.
    Verify:
        - with the queue the median of the rates is between 0.7 and 1.3 times the figure
        - control: without it, before and after, the rate is at least three times the figure; else
          the check is inconclusive
    """
    with _stations(testbed) as (sender, receiver):
        rates = _measured(
            sampling,
            lambda: shaped(testbed.host, receiver.port, FIGURE_MBIT_S),
            lambda: tcp_mbit_s(sender.machine, Far(receiver.machine, RECEIVER)),
        )
    _keep(evidence, rates)
    _require_near(rates)


@pytest.mark.lengthy
@pytest.mark.alone(after_a_miss=True)
@pytest.mark.claims("OV-14")
@pytest.mark.changes_network("adds an OpenFlow meter to the bridge")
@pytest.mark.needs("ovs", "iperf3")
def test_meter(testbed: Testbed, evidence: Evidence, sampling: Sampling) -> None:
    """An OpenFlow meter on all that comes in by a port holds it near the figure.

    Preconditions:
        - no meter of the bridge has the number 7001
    Steps:
        1. Plug two stations into the bridge.
        2. Offer four times the figure by UDP from one to the other, without a meter.
        3. Set the meter on what the sender's port receives, and repeat in several trials.
        4. Remove the meter, and offer the same once more.
    Verify:
        - with the meter the median of the rates that arrive is between 0.7 and 1.3 times the figure
        - control: without it, before and after, at least three times the figure arrives; else the
          check is inconclusive
    """
    bridge = OvsBridge(testbed.host, testbed.switch.name)
    with _stations(testbed) as (sender, receiver):
        rates = _measured(
            sampling,
            lambda: metered(testbed.host, bridge, sender.port, FIGURE_MBIT_S, BURST_MBIT),
            lambda: udp(sender.machine, Far(receiver.machine, RECEIVER), OFFERED_MBIT_S).mbit_s,
        )
    _keep(evidence, rates)
    _require_near(rates)


@contextlib.contextmanager
def _stations(testbed: Testbed) -> Iterator[tuple[Station, Station]]:
    with (
        station(testbed.host, testbed.switch, "st1") as one,
        station(testbed.host, testbed.switch, "st2") as two,
    ):
        for each, address in ((one, SENDER), (two, RECEIVER)):
            add_address(each.machine, NIC, f"{address}/30")
        yield one, two


def _measured(
    sampling: Sampling,
    limit: Callable[[], AbstractContextManager[None]],
    trial: Callable[[], float],
) -> Rates:
    free, held = (Series(trial, number) for number in (2, TRIALS))
    try:
        free.take(sampling.watch)
        with limit():
            sampling.take(held)
            # A busy machine makes a rate lower, and none higher.
            sampling.holds(
                held,
                lambda rates: median(rates) >= LOW_MBIT_S,
                lambda rates: str(Rates(free.samples, rates)),
            )
        free.take(sampling.watch)
    except (TrialFailed, MeterLost) as error:
        raise AssertionError(error.message) from error
    return Rates(free.samples, held.samples)


def _keep(evidence: Evidence, rates: Rates) -> None:
    evidence.measurement("without a limit", "Mbit/s", rates.free)
    evidence.measurement("with the limit", "Mbit/s", rates.held)
    evidence.reason = str(rates)


def _require_near(rates: Rates) -> None:
    if min(rates.free) < UNLIMITED_MBIT_S:
        raise Inconclusive(f"control failed: less than {UNLIMITED_MBIT_S:g} Mbit/s free: {rates}")
    assert rates.near, f"not within {NEAR[0]:g} to {NEAR[1]:g} times the figure: {rates}"
