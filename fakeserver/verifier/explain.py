"""What a name in a report means, with its source: rules, causes, hazards, switches."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from fakeserver.dialects import DIALECTS, find_dialect
from fakeserver.errors import UsageError
from fakeserver.profile import Switch
from fakeserver.verifier.causes import CAUSES
from fakeserver.verifier.hazards import HAZARDS
from fakeserver.verifier.rules import RULES

THEORY = "  theory   classes and theorems: contracts/THEORY.md; the rest are public threads\n"


def explain(name: str) -> str:
    """Return what the rule, cause, hazard or switch called `name` means. Raises `UsageError`."""
    texts = list(_explanations(name))
    if texts:
        return "\n".join(texts)
    near = get_close_matches(name, known_names(), n=3)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise UsageError(
        f"nothing is called {name!r}{hint}; 'fakeserver explain' without a name lists all names"
    )


def known_names() -> list[str]:
    """Every name that `explain` knows."""
    switches = {switch.name for name in DIALECTS for switch in find_dialect(name).switches}
    return [*RULES, *CAUSES, *HAZARDS, *sorted(switches)]


def overview() -> str:
    """List all names by their kind."""
    lines = [
        "rules:    " + " ".join(RULES),
        "causes:   " + " ".join(CAUSES),
        "hazards:  " + " ".join(HAZARDS),
    ]
    for name in DIALECTS:
        switches = " ".join(switch.name for switch in find_dialect(name).switches)
        lines.append(f"switches of {name}:  {switches}")
    return "\n".join(lines) + "\n"


def _explanations(name: str) -> Iterator[str]:
    if name.upper() in RULES:
        rule = RULES[name.upper()]
        yield (
            f"{rule.name} is a rule.\n  accuses  {rule.accuses}\n  spares   {rule.spares}\n"
            f"  source   {rule.source}\n{THEORY}"
        )
    if name in CAUSES:
        yield f"{name} is a cause of LOST.\n  {CAUSES[name]}\n"
    if name in HAZARDS:
        hazard = HAZARDS[name]
        yield (
            f"{name} is a hazard.\n  about    {hazard.about}\n  source   {hazard.source}\n{THEORY}"
        )
    for dialect in DIALECTS:
        for switch in find_dialect(dialect).switches:
            if switch.name == name:
                yield _switch_text(dialect, switch)


def _switch_text(dialect: str, switch: Switch) -> str:
    lines = [
        f"{switch.name} is a switch of {dialect}.",
        f"  about    {switch.about}",
        f"  source   {switch.source}",
    ]
    for value in switch.values:
        marks = [
            word
            for word, holds in (
                ("default", value == switch.default),
                ("documented", value in switch.documented),
                ("invented", value in switch.invented),
            )
            if holds
        ]
        lines.append(f"  value    {value!r}" + (f"  ({', '.join(marks)})" if marks else ""))
    return "\n".join(lines) + "\n"
