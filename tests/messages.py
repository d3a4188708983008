# SPDX-License-Identifier: GPL-2.0-or-later
"""The messages of the program and of its data, and the catalogues that translate them.

    python -m tests.messages

brings every catalogue in `contracts/locale/` up to date: new messages are added without a
translation, those that are gone are left out. Nothing is guessed for a message that changed.
"""

import ast
import io
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import get_args

from babel.messages.catalog import Catalog
from babel.messages.catalog import Message as BabelMessage
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po
from jinja2 import Environment, nodes
from jinja2.ext import babel_extract

from contracts.language import ENGLISH, LANGUAGES, LOCALE
from contracts.verdicts import Verdict
from faults.harmless import Harmless
from faults.library import load_all as all_changes
from fixtures.explanation.check_source import check_sources
from fixtures.explanation.remedies import remedies
from reports.compare.comparison import Effect, QuantityOutcome
from reports.fault_outcomes import NOT_RUN, OUTCOME_VERDICTS
from reports.fleet.host_status import HostState
from reports.record_types import Reach
from reports.run_verdict import NOT_FINISHED
from reports.waiver import WaiverOutcome
from reports.warmup import Better
from topologies.catalogue import Level, claims, documents
from topologies.library import load_all, names

ROOT = Path(__file__).resolve().parent.parent
PYTHON = ("contracts", "fixtures/explanation", "launcher", "reports")
TEMPLATES = ("reports/html", "reports/markdown")
KEYWORDS = {
    "gettext": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
}
TEMPLATE_KEYWORDS = {"_": None, **KEYWORDS}
# `counted(3, "check")`, and in a template `3 | counted("check")`: the noun is the message.
COUNTING = ("counted", "number")
NOUN, WORD = "counted", "word"
WIDTH = 100

CATALOGUES = ("claims", "faults", "interface", "procedures", "remedies", "topologies")

# Names, commands, and what has placeholders alone: it is the same in Chinese, but for the signs.
WITHOUT_CHINESE = frozenset(
    {
        "Open vSwitch",
        "IPv6",
        "MTU",
        "dnsmasq(8)",
        "{hosts}: {end}",
        "{state} {number}: {meaning}",
        " by {family}",
        "{what} ({why}): {claims}",
        "{outcome} {number} of {all}",
        "%(id)s on %(hosts)s",
        "virsh net-autostart NETWORK",
        "bridge link set dev TAP learning on flood on",
        "ip link set BRIDGE type bridge ageing_time 30000; ovs-vsctl remove bridge BRIDGE "
        "other_config mac-aging-time",
    }
)
_CHINESE = re.compile(r"[\u4e00-\u9fff]")

Message = tuple[str, str | tuple[str, ...], str | None]
"""Where a message is, the message (with its plural), and its context."""


def extracted() -> dict[str, Catalog]:
    """Return every message, by the name of its catalogue."""
    found = {
        "claims": _of_claims(),
        "faults": _of_faults(),
        "interface": _of_interface(),
        "procedures": _of_procedures(),
        "remedies": _of_remedies(),
        "topologies": _of_topologies(),
    }
    return {name: _catalogue(messages) for name, messages in found.items()}


def kept(language: str, name: str) -> Catalog:
    """Return a catalogue of the repository; empty if there is none."""
    file = LOCALE / language / f"{name}.po"
    if not file.exists():
        return Catalog(locale=language)
    with file.open("rb") as content:
        return read_po(content, locale=language)


def _catalogue(messages: Iterable[Message]) -> Catalog:
    made = Catalog()
    for place, message, context in messages:
        made.add(message, locations=[(place, 0)], context=context)
    return made


def _of_claims() -> Iterator[Message]:
    place = "topologies/claims.yaml"
    for claim in claims().values():
        yield place, claim.section, None
        yield place, claim.statement, None
    for title in documents().values():
        yield place, title, None


def _of_topologies() -> Iterator[Message]:
    for topology in load_all(names()):
        yield f"topologies/{topology.name}.yaml", topology.title, None


def _of_faults() -> Iterator[Message]:
    for each in all_changes():
        yield "faults", each.title, None
        if isinstance(each, Harmless):
            yield "faults", each.why, None


def _of_procedures() -> Iterator[Message]:
    for check in check_sources():
        place = f"suites/test_{check.name.partition('.')[0]}.py"
        how = check.procedure
        for text in (check.summary, *how.preconditions, *how.steps, *how.verify):
            yield place, text, None


def _of_remedies() -> Iterator[Message]:
    for each in remedies():
        yield "fixtures/explanation/remedies.yaml", each.cause, None
        yield "fixtures/explanation/remedies.yaml", each.mend, None


def _of_interface() -> Iterator[Message]:
    for folder in PYTHON:
        for file in sorted((ROOT / folder).rglob("*.py")):
            yield from _of_python(file)
    for folder in TEMPLATES:
        for file in sorted((ROOT / folder).glob("*.j2")):
            yield from _of_template(file)
    yield from _of_vocabulary()


def _of_python(file: Path) -> Iterator[Message]:
    place, content = str(file.relative_to(ROOT)), file.read_bytes()
    for _, message, _, context in extract("python", io.BytesIO(content), keywords=KEYWORDS):
        yield place, message, context
    for node in ast.walk(ast.parse(content)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            words = [each.value for each in node.args[1:] if isinstance(each, ast.Constant)]
            if node.func.id in COUNTING and words:
                yield place, str(words[0]), NOUN


def _of_template(file: Path) -> Iterator[Message]:
    place, content = str(file.relative_to(ROOT)), file.read_bytes()
    options = {"trim_blocks": "true", "lstrip_blocks": "true", "silent": "false"}
    found = extract(babel_extract, io.BytesIO(content), TEMPLATE_KEYWORDS, options=options)
    for _, message, _, context in found:
        yield place, message, context
    parsed = Environment(extensions=["jinja2.ext.i18n"]).parse(content.decode())
    for each in parsed.find_all(nodes.Filter):
        if each.name in COUNTING and isinstance(each.args[0], nodes.Const):
            yield place, each.args[0].value, NOUN
    for call in parsed.find_all(nodes.Call):
        # `room.fit(entries, macro, "finding")`: what is left out is counted.
        if isinstance(call.node, nodes.Getattr) and call.node.attr == "fit":
            yield place, call.args[2].as_const(), NOUN


def _of_vocabulary() -> Iterator[Message]:
    ends = get_args(Reach.model_fields["from_"].annotation)
    outcomes = (*OUTCOME_VERDICTS, NOT_RUN, NOT_FINISHED, *Effect, *QuantityOutcome)
    for term in (
        *Verdict,
        *outcomes,
        *ends,
        *get_args(Better),
        *get_args(Level),
        *get_args(WaiverOutcome),
        *HostState,
        "not judged",
    ):
        yield "contracts/language.py", str(term), WORD


def main() -> int:
    """Write the catalogues, and print how many messages of each have no translation."""
    for language in LANGUAGES:
        if language == ENGLISH:
            continue
        for name, found in extracted().items():
            catalogue = kept(language, name)
            catalogue.update(found, no_fuzzy_matching=True, update_header_comment=False)
            file = LOCALE / language / f"{name}.po"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text_of(catalogue))
            open_ = [each for each in catalogue if each.id and not is_translated(each)]
            print(f"{file.relative_to(ROOT)}: {len(catalogue)} messages, {len(open_)} to translate")
    return 0


def text_of(catalogue: Catalog) -> bytes:
    """Return a catalogue as a file, without dates and lines' numbers: they change by themselves."""
    written = io.BytesIO()
    write_po(
        written,
        catalogue,
        width=WIDTH,
        omit_header=True,
        ignore_obsolete=True,
        include_lineno=False,
        sort_output=False,
    )
    head = HEAD.format(language=catalogue.locale, plurals=catalogue.plural_forms)
    return head.encode() + written.getvalue()


HEAD = """# SPDX-License-Identifier: GPL-2.0-or-later
msgid ""
msgstr ""
"Language: {language}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: {plurals}\\n"

"""


def is_translated(message: BabelMessage) -> bool:
    """Whether a message has a text in each of its forms, with characters of Chinese in it."""
    text = message.string
    forms = list(text) if isinstance(text, tuple | list) else [text]
    if message.id in WITHOUT_CHINESE:
        return all(forms)
    return all(_CHINESE.search(form or "") for form in forms)


if __name__ == "__main__":
    sys.exit(main())
