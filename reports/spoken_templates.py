# SPDX-License-Identifier: GPL-2.0-or-later
"""Messages in the templates of pages: `_("…")`, and what is between `trans` and `endtrans`.

The language is asked when a page is made, so one environment of templates serves all of them.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from contracts import language


def environment(folder: Path, shown: Callable[[object], object]) -> Environment:
    """Return the environment of a folder's templates: an unknown name in them is an error.

    A message is markup of ours; what is put into it is shown as anywhere else in the page. Text
    that is no constant of a template (a statement, a title) takes the filter `translated`, a word
    of a fixed vocabulary (a verdict, an outcome) the filter `word`.

    Args:
        folder: the folder.
        shown: makes text harmless; markup, which a macro made, stays as it is.
    """
    made = Environment(
        loader=FileSystemLoader(folder),
        extensions=["jinja2.ext.i18n"],
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def filled(message: str, variables: Mapping[str, object]) -> Markup:
        values = {name: shown(value) for name, value in variables.items()}
        return Markup(message) % values  # noqa: S704 - from a catalogue of ours

    def gettext(message: str, /, **variables: object) -> Markup:
        return filled(language.gettext(message), variables)

    def ngettext(singular: str, plural: str, count: int, /, **variables: object) -> Markup:
        return filled(language.ngettext(singular, plural, count), {"num": count, **variables})

    made.globals |= {"gettext": gettext, "ngettext": ngettext, "language_tag": language.tag}
    # Messages take what is put into them as arguments.
    made.newstyle_gettext = True  # type: ignore[attr-defined]  # the extension adds it
    made.filters |= {"translated": _translated, "word": _word}
    return made


# A context keeps the compiler from translating constants once for all languages.
@pass_context
def _translated(_: Context, text: str) -> str:
    return language.gettext(text)


@pass_context
def _word(_: Context, term: str) -> str:
    return language.word(term)
