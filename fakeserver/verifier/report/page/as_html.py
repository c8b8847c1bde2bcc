"""A verdict as one page: what ``--html`` writes. It asks nobody for anything, and runs offline.

Whatever a client or a world says in it is text: escaped, without the token, and a policy in the
page keeps a browser from running or fetching anything but what the page came with.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from typing import TYPE_CHECKING

from fakeserver.clock import clock_text
from fakeserver.dialects.base import TOKEN
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.report.coverage.build import EVENTS_MAPPED_MAX, coverage_map
from fakeserver.verifier.report.coverage.frame import frame
from fakeserver.verifier.report.coverage.svg import lanes_svg, lanes_width, plot_svg
from fakeserver.verifier.report.page.details import details
from fakeserver.verifier.report.page.legend import legend
from fakeserver.verifier.report.page.markup import element, shown, terms
from fakeserver.verifier.report.policy import source_hash
from fakeserver.verifier.report.sections import Section, about, headline, sections
from fakeserver.verifier.report.timeline import Entry, entries

if TYPE_CHECKING:
    from fakeserver.verifier.report.coverage.model import CoverageMap
    from fakeserver.verifier.verdict import Verdict

AXIS_WORDS = {"id": "the id of an event", "recorded_at": "the stamp of an event"}


def verdict_html(verdict: Verdict) -> bytes:
    """Return the page, in UTF-8."""
    page = files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    scenario = verdict.scenario
    evidence = Evidence(scenario, verdict.history, verdict.promise) if scenario else None
    coverage = coverage_map(evidence, verdict.findings) if evidence else None
    template = _sized(page, coverage)
    word, said = headline(verdict)
    rule, _, message = said.rpartition("  ")
    parts = {
        "policy": _policy(template),
        "title": shown(f"{word}: {said}"),
        "headline": element("span", shown(word), class_=f"outcome {verdict.outcome}")
        + (element("span", shown(rule), class_="rule") if rule else "")
        + shown(message),
        "about": shown(" · ".join([*filter(None, [verdict.client]), *about(verdict)])),
        "main": "\n".join(_main(verdict, evidence, coverage)),
    }
    # In one go: what is put in is not looked through again.
    text = re.sub(r"\{\{([a-z]+)\}\}", lambda match: parts[match[1]], template)
    return text.replace(TOKEN, "&lt;token&gt;").encode("utf-8", "replace")


def _sized(page: str, coverage: CoverageMap | None) -> str:
    """Put the widths of the two drawings of a map into the style of the page."""
    names = lanes_width(coverage) if coverage else 0
    plot = frame(coverage).width if coverage else 0
    return page.replace("{{names}}", str(names)).replace("{{plot}}", str(plot))


def _policy(template: str) -> str:
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {source_hash('script', template)}",
            f"style-src {source_hash('style', template)}",
            "img-src data:",  # the empty icon
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _main(
    verdict: Verdict, evidence: Evidence | None, coverage: CoverageMap | None
) -> Iterator[str]:
    if evidence is not None:
        yield _panel("What happened", *_map(evidence, coverage))
        if coverage is not None:
            ask = "Click a bar for its request and answer, a line for its event."
            shown_first = element("p", ask, class_="muted ask")
            yield element(
                "section",
                shown_first + details(evidence, coverage),
                class_="panel details",
                aria_live="polite",
            )
    told = list(sections(verdict))
    if told:
        yield _panel("The finding" if verdict.findings else "The verdict", _sections(told))
    if evidence is not None:
        rows = "".join(
            element("tr", element("th", shown(_when(e))) + _cell(" · ".join(e.parts)))
            for e in entries(evidence, verdict.findings[0] if verdict.findings else None)
        )
        table = element("table", rows) if rows else element("p", "Nothing was asked.")
        summary = element("summary", "The same in words, times in UTC")
        yield element("section", element("details", summary + table), class_="panel")


def _when(entry: Entry) -> str:
    return f"{entry.label}  {clock_text(entry.at)}".strip()


def _cell(text: str) -> str:
    return element("td", shown(text))


def _map(evidence: Evidence, coverage: CoverageMap | None) -> Iterator[str]:
    if coverage is None:
        yield element(
            "p",
            f"The log has {len(evidence.scenario.events):,} events. A map has room for "
            f"{EVENTS_MAPPED_MAX:,}: of more nothing would be seen.",
        )
        return
    drawing = element("div", lanes_svg(coverage) + plot_svg(coverage), class_="map")
    words = (
        f"Time (UTC) runs to the right. Upwards runs {AXIS_WORDS[coverage.axis]}, because "
        f"{coverage.axis_why}. Not to scale: what counts is the order."
    )
    notes = "".join(f" {limit}" for limit in coverage.limits)
    yield element("figure", drawing + element("figcaption", shown(words + notes)))
    yield legend(coverage)


def _sections(told: list[Section]) -> str:
    return terms(
        (label, element("code", shown(text)) if code else shown(text)) for label, text, code in told
    )


def _panel(title: str, *content: str) -> str:
    return element("section", element("h2", shown(title)) + "".join(content), class_="panel")
