# SPDX-License-Identifier: GPL-2.0-or-later
"""A comparison and a trend as one file each: HTML in the look of the report, or Markdown."""

from contracts.language import gettext
from reports.compare import comparison_wording as wording
from reports.compare import trend_lines, trend_text
from reports.compare.comparison import Comparison, Quantity, Samples
from reports.compare.trend import Trend
from reports.html.strip_plot import Series, StripPlot, strip_plot
from reports.html.template_environment import environment
from reports.markdown.sized_page import page


def comparison_html(comparison: Comparison) -> str:
    """Return the HTML page of a comparison."""
    template = environment().get_template("compare.html.j2")
    return wording.harmless(template.render(found=comparison, wording=wording, strip_of=strip_of))


def comparison_markdown(comparison: Comparison) -> str:
    """Return a comparison as Markdown; evidence that does not fit is left out."""
    return page("comparison.md.j2", found=comparison, wording=wording)


def trend_html(found: Trend) -> str:
    """Return the HTML page of a trend."""
    template = environment().get_template("trend.html.j2")
    return wording.harmless(template.render(found=found, text=trend_text, drawing=trend_lines))


def trend_markdown(found: Trend) -> str:
    """Return a trend as Markdown."""
    return page("trend.md.j2", found=found, text=trend_text)


def strip_of(quantity: Quantity) -> StripPlot:
    """Return the samples of a quantity as a strip plot: before above, after below."""
    both = ((gettext("before"), quantity.before), (gettext("after"), quantity.after))
    median = gettext("{when}: median {median} {unit} of {number}")
    says = "; ".join(
        median.format(
            when=when,
            median=wording.figure(samples.median),
            unit=quantity.unit,
            number=len(samples.values),
        )
        for when, samples in both
    )
    return strip_plot([_series(samples) for _, samples in both], says)


def _series(samples: Samples) -> Series:
    """Return what counts behind what was left out, where a trial is one sample.

    A cold echo is no value of its trial.
    """
    whole = len(samples.values) + samples.cold == len(samples.raw)
    cold = samples.cold if whole else 0
    return Series([*samples.raw[:cold], *samples.values], cold, samples.interval)
