# SPDX-License-Identifier: GPL-2.0-or-later
"""A harmless change: what healthy hosts have, and no check may take for a violation."""

from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from faults.change import Change

ClaimId = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9]-[0-9]{2}$")]


class Harmless(Change):
    """One change of a topology that is up, after which it still does all that it promises."""

    is_harmless: ClassVar[bool] = True

    why: str = Field(min_length=1, description="Why no claim is touched by it.")
    lengthy: Annotated[tuple[ClaimId, ...], Field(strict=False)] = Field(
        default=(), description="Claims whose long checks are made beside it as well."
    )

    def is_for(self, claims: tuple[str, ...], check: str) -> bool:
        """See `Change.is_for`: where it names a claim that the check decides."""
        del check
        return any(claim in claims for claim in self.lengthy)
