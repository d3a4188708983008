# SPDX-License-Identifier: GPL-2.0-or-later
"""The parts of a record that are known from the settings of its run."""

from contracts.run_settings import RunSettings
from reports.record import ExpectedVerdicts, Statement


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
