# SPDX-License-Identifier: GPL-2.0-or-later
"""A comparison and a trend as one HTML file each, in the look of the report."""

from reports.compare import drawing, trend_text, wording
from reports.compare.model import Comparison
from reports.compare.trend import Trend
from reports.html.environment import environment


def comparison_page(comparison: Comparison) -> str:
    """Return the page of a comparison."""
    template = environment().get_template("compare.html.j2")
    return wording.harmless(template.render(found=comparison, wording=wording, drawing=drawing))


def trend_page(found: Trend) -> str:
    """Return the page of a trend."""
    template = environment().get_template("trend.html.j2")
    return wording.harmless(template.render(found=found, text=trend_text, drawing=drawing))
