# SPDX-License-Identifier: GPL-2.0-or-later
"""What all parts of a topology file have in common."""

from collections.abc import Iterator
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A piece of a topology file: unknown keys and silent conversions refused, never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    def asks_for(self, path: str) -> bool:
        """Whether it has a key with another value than that of a file without the key.

        Args:
            path: the key, as in `domain` or `dhcp.hosts`.
        """
        key, _, below = path.partition(".")
        value = getattr(self, key)
        if value == type(self).model_fields[key].default:
            return False
        return value.asks_for(below) if below else True


def keys_of(part: type[Part]) -> tuple[str, ...]:
    """Return all keys of a part as `asks_for` takes them: `dhcp`, and below it `dhcp.hosts`."""
    return tuple(_keys(part))


def _keys(part: type[Part]) -> Iterator[str]:
    for name, field in part.model_fields.items():
        yield name
        # Of a list's entries each has its own keys.
        parts = () if get_origin(field.annotation) is tuple else get_args(field.annotation)
        for below in (field.annotation, *parts):
            if _is_part(below):
                yield from (f"{name}.{key}" for key in _keys(below))


def _is_part(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Part)
