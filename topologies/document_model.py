# SPDX-License-Identifier: GPL-2.0-or-later
"""A document's values as a model, once the file says that it has the model's format."""

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from topologies.data_error import gathered
from topologies.schema_errors import refusals
from topologies.yaml_reader import Document

M = TypeVar("M", bound=BaseModel)


def require_schema(document: Document, schema: str) -> None:
    """Require that a file names the format in which it is read.

    A file of another version or kind has an error in every line: only this one is reported.

    Raises:
        DataError: it names another one, or none.
    """
    written = document.data.get("schema")
    if written != schema:
        found = "the key is missing" if written is None else f'found "{written}"'
        raise document.error(
            ("schema",), f"{found}; expected {schema}", f"start the file with schema: {schema}"
        )


def as_model(document: Document, model: type[M]) -> M:
    """Return a document's values as a model.

    Raises:
        DataError: the model refuses some of them; one for each.
    """
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        raise gathered(refusals(error, document, model)) from error
