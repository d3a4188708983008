# SPDX-License-Identifier: GPL-2.0-or-later
"""What all parts of a topology file have in common."""

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A piece of a topology file: unknown keys and silent conversions refused, never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    def asks_for(self, path: str) -> bool:
        """Whether it has a key with another value than that of a file without the key.

        Args:
            path: the key, as in `domain` or `dhcp.hosts`; of a list's entries that of any of them,
                as in `dhcp.hosts.lease`.
        """
        key, _, below = path.partition(".")
        value = getattr(self, key)
        if value == type(self).model_fields[key].default:
            return False
        if isinstance(value, tuple) and below:
            return any(each.asks_for(below) for each in value)
        return value.asks_for(below) if below else True


def keys_of(part: type[Part]) -> tuple[str, ...]:
    """Return all keys of a part as `asks_for` takes them: `dhcp`, and below it `dhcp.hosts`."""
    return tuple(_keys(part))


def _keys(part: type[Part]) -> Iterator[str]:
    for name, field in part.model_fields.items():
        yield name
        for below in (field.annotation, *get_args(field.annotation)):
            if _is_part(below):
                yield from (f"{name}.{key}" for key in _keys(below))


def _is_part(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Part)
