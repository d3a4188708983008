# SPDX-License-Identifier: GPL-2.0-or-later
"""Turn pydantic's errors about a document into errors with file, line, field and advice."""

from collections.abc import Callable
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from topologies.data_error import DataError, near_miss
from topologies.field_types import found
from topologies.yaml_reader import DOCUMENTATION, Document, FieldPath

Advice = tuple[str, str]
"""What was found and expected, and the remedy."""
NUMBER_HINT = "write a plain number, without quotes"


def refusals(error: ValidationError, document: Document, model: type[BaseModel]) -> list[DataError]:
    """Return one error for each value of a document that a model refused.

    Args:
        error: Pydantic's error.
        document: The document whose data were validated.
        model: The model that they were validated against.
    """
    result = []
    for details in error.errors(include_url=False):
        if _is_too_short_only_without_refused_entries(details):
            continue
        message, hint = _advice(details, model)
        result.append(document.error(details["loc"], message, hint))
    return result


def _is_too_short_only_without_refused_entries(details: ErrorDetails) -> bool:
    # pydantic counts only the entries that it accepted; the refused ones have their own errors.
    entries = details["input"]
    return (
        details["type"] == "too_short"
        and isinstance(entries, list)
        and len(entries) >= details.get("ctx", {}).get("min_length", 0)
    )


def _advice(details: ErrorDetails, model: type[BaseModel]) -> Advice:
    context = details.get("ctx", {})
    if details["type"] == "refused":
        return str(context["what"]), str(context["hint"])
    if details["type"] in ("missing", "extra_forbidden"):
        return _key_advice(details, model)
    if details["type"] == "too_short":
        return (
            f"found {len(details['input'])} in the list; expected {context['min_length']} or more",
            "add what is missing",
        )
    written = found(details["input"])
    if details["type"] in _BY_TYPE:
        expected, hint = _BY_TYPE[details["type"]](details["input"], context)
        return f"found {written}; expected {expected}", hint
    return f"found {written}: {details['msg']}", DOCUMENTATION


def _key_advice(details: ErrorDetails, model: type[BaseModel]) -> Advice:
    path = details["loc"]
    fields = _fields_at(model, path[:-1])
    key = str(path[-1])
    if details["type"] == "missing":
        field = fields.get(key)
        meaning = field.description if field else None
        return "the key is missing; expected it here", f"add it: {meaning or DOCUMENTATION}"
    return (
        f"unknown key; expected one of {', '.join(fields)}",
        near_miss(key, fields) or f"remove it: {DOCUMENTATION}",
    )


def _fields_at(model: type[BaseModel], path: FieldPath) -> dict[str, FieldInfo]:
    """Return the keys that the model at a path takes, as a file writes them."""
    for step in path:
        if isinstance(step, int):
            continue  # an entry of a list: the list's annotation already led to its model
        inner = _model_in(_written(model)[step].annotation)
        if inner is None:
            return {}
        model = inner
    return _written(model)


def _written(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((m for m in map(_model_in, get_args(annotation)) if m is not None), None)


def _text(value: object, _context: dict[str, Any]) -> Advice:
    hint = "write text" if value is None or isinstance(value, dict | list) else "put it in quotes"
    return "text", hint


def _truth(value: object, _context: dict[str, Any]) -> Advice:
    if str(value).lower() in ("yes", "no", "on", "off"):
        return "true or false", "write true or false: YAML 1.2 reads yes, no, on and off as text"
    return "true or false", "write true or false, without quotes"


def _choice(value: object, context: dict[str, Any]) -> Advice:
    expected = str(context["expected"]).replace("'", "")
    choices = expected.replace(" or ", ", ").split(", ")
    hint = near_miss(value, choices) if isinstance(value, str) else ""
    return expected, hint or f"write {expected}"


# The names on the left are pydantic's error types.
_BY_TYPE: dict[str, Callable[[object, dict[str, Any]], Advice]] = {
    "string_type": _text,
    "bool_type": _truth,
    "literal_error": _choice,
    "int_type": lambda _v, _c: ("a whole number", NUMBER_HINT),
    "float_type": lambda _v, _c: ("a number", NUMBER_HINT),
    "finite_number": lambda _v, _c: ("a finite number", NUMBER_HINT),
    "greater_than": lambda _v, c: (f"more than {c['gt']:.10g}", "raise it"),
    "greater_than_equal": lambda _v, c: (f"at least {c['ge']:.10g}", "raise it"),
    "less_than_equal": lambda _v, c: (f"at most {c['le']:.10g}", "lower it"),
    "string_too_short": lambda _v, _c: ("some text", "write a few words"),
    "string_too_long": lambda _v, c: (f"at most {c['max_length']} characters", "shorten it"),
    "model_type": lambda _v, _c: ("a mapping", "write its keys below it, indented"),
    "dict_type": lambda _v, _c: ("a mapping", "write its keys below it, indented"),
    "tuple_type": lambda _v, _c: ("a list", "write each entry below it, after '- '"),
}
