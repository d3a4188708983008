# SPDX-License-Identifier: GPL-2.0-or-later
"""The parts of a record that are known from the settings of its run."""

from contracts.run_settings import RunSettings
from reports.record import ExpectedVerdicts, Statement
from reports.standard import Standard
from reports.waiver import Waiver


def statements(settings: RunSettings) -> dict[str, Statement]:
    """Return the statement of each claim of the catalogue, and its source."""
    sources = settings.sources
    return {
        id_: Statement(statement=said, source=sources.get(id_, ""))
        for id_, said in settings.statements.items()
    }


def expected(settings: RunSettings) -> ExpectedVerdicts | None:
    """Return the verdicts that the run's are compared with; None: none are."""
    if settings.expected is None:
        return None
    return ExpectedVerdicts.model_validate(dict(settings.expected))


def waivers(settings: RunSettings) -> list[Waiver]:
    """Return the run's waivers."""
    return [Waiver.model_validate(dict(each)) for each in settings.waived]


def standard(settings: RunSettings, version: str) -> Standard | None:
    """Return the catalogue of the run's checks; None: this pytest makes no run.

    Args:
        settings: the run's.
        version: of Plumbline.
    """
    if settings.standard is None:
        return None
    return Standard.model_validate(dict(settings.standard) | {"version": version})
