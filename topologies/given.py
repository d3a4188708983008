# SPDX-License-Identifier: GPL-2.0-or-later
"""What a network is made of beside its keys: its user's own definition for libvirt or ifup."""

from pathlib import Path
from typing import Self

from pydantic import PrivateAttr

from topologies.given_stanza import GivenStanza
from topologies.given_xml import GivenXml
from topologies.part import Part


class Given(Part):
    """A part of a topology that may have a definition of its user's."""

    _given: GivenXml | None = PrivateAttr(default=None)
    _stanza: GivenStanza | None = PrivateAttr(default=None)

    @property
    def given(self) -> GivenXml | None:
        """Its definition for libvirt, as its user wrote it; None: it is made of the keys."""
        return self._given

    @property
    def given_file(self) -> Path | None:
        """The file of the user's own definition."""
        return None if self._given is None else self._given.file

    def given_by(self, definition: GivenXml | None) -> Self:
        """Return a copy with a user's own definition, or without one."""
        copy = self.model_copy()
        copy._given = definition
        return copy

    @property
    def stanza(self) -> GivenStanza | None:
        """The bridge's stanza for ifup, as its user wrote it; None: it is made of the keys."""
        return self._stanza

    def given_as_stanza(self, stanza: GivenStanza | None) -> Self:
        """Return a copy with a user's own stanza, or without one."""
        copy = self.model_copy()
        copy._stanza = stanza
        return copy
