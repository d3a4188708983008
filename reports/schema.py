# SPDX-License-Identifier: GPL-2.0-or-later
"""The JSON Schema (2020-12) of the run record, made from its model.

`python -m reports.schema` writes it to `reports/run.schema.json`, for programs that read a run
without this code.
"""

import json
from pathlib import Path

from reports.record import RunRecord

SCHEMA_FILE = Path(__file__).with_name("run.schema.json")


def schema_text() -> str:
    """Return the schema as the file has it, with its last newline."""
    described = RunRecord.model_json_schema(by_alias=True, mode="serialization")
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return json.dumps(dialect | described, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the schema beside the model."""
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")


if __name__ == "__main__":
    main()
