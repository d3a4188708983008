# SPDX-License-Identifier: GPL-2.0-or-later
"""The networks of `tests/networks`, and the verdicts that each must get."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from topologies import yaml_reader
from topologies.catalogue import claims

FOLDER = Path(__file__).resolve().parent / "networks"
REFUSED = FOLDER.with_name("networks_refused")
VERDICTS = FOLDER.with_name("network_verdicts.yaml")
# How the reason of a check begins for which the host lacks a capability; its name comes next.
LACKS = "the host lacks "


class Expected(BaseModel):
    """What one network must get; `network_verdicts.yaml` says what the keys mean."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    not_looked_at: list[str] = []
    undecided: list[str] = []
    absent: list[str] = []
    refused: str | None = None
    lacks: str | None = None

    def differences(self, record: Mapping[str, Any]) -> Iterator[str]:
        """Give what of a run's record is not as it must be."""
        words = " ".join(str(each["reason"]) for each in record["topologies"])
        refused = self.refused is not None and self.refused in words
        for check in record["checks"]:
            wanted = self._verdict(check, refused=refused)
            if check["verdict"] != wanted:
                yield f"{check['id']} {check['verdict']}, not {wanted}: {check['reason']}"
            elif self.lacks is not None and not _is_for_want_of(self.lacks, check):
                yield f"{check['id']}, not for want of {self.lacks}: {check['reason']}"

    def _verdict(self, check: Mapping[str, Any], *, refused: bool) -> str:
        if self.lacks is not None or check["reason"].startswith(LACKS):
            return "not-testable"
        if refused:
            founding = any(claims()[each].foundation for each in check["claims"])
            return "violates" if founding else "inconclusive"
        without = {*self.undecided, *self.absent}
        about = {check["id"].partition("[")[0], *check["claims"]}
        return "not-testable" if without & about else "conforms"


def _is_for_want_of(capability: str, check: Mapping[str, Any]) -> bool:
    return str(check["reason"]).startswith(f"{LACKS}{capability} (probe: ")


def expected() -> dict[str, Expected]:
    """Return what each network must get, by its file's name without suffix."""
    data = yaml_reader.read(VERDICTS).data
    return {name: Expected.model_validate(each) for name, each in data.items()}
