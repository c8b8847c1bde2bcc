"""What a name in a report means, with its source: rules, causes, hazards, theorems and so on."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from fakeserver.dialects import find_dialect, known_dialects
from fakeserver.dialects.base import Dialect
from fakeserver.errors import ProfileError, UsageError
from fakeserver.fault import FAULT_KINDS
from fakeserver.profile import Profile, Switch
from fakeserver.verifier.causes import CAUSES
from fakeserver.verifier.fault_classes import FAULT_CLASSES
from fakeserver.verifier.hazards import HAZARDS
from fakeserver.verifier.rules import RULES
from fakeserver.verifier.theory import IMPOSSIBLE, THEOREMS

THEORY = "  theory   classes and theorems: contracts/THEORY.md; the rest are public threads\n"


def explain(name: str) -> str:
    """Return what `name` means: a rule, cause, hazard, fault, switch, profile, or what is provable.

    Raises `UsageError`.
    """
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
    dialects = list(_dialects())
    switches = {switch.name for dialect in dialects for switch in dialect.switches}
    profiles = [profile.name for dialect in dialects for profile in dialect.profiles]
    names = [*RULES, *CAUSES, *FAULT_CLASSES, *HAZARDS, *FAULT_KINDS, *THEOREMS, *IMPOSSIBLE]
    names += [*sorted(switches), *profiles]
    return [*dict.fromkeys(names)]


def overview() -> str:
    """List all names by their kind."""
    lines = [
        "rules:       " + " ".join(RULES),
        "causes:      " + " ".join(CAUSES),
        "classes:     " + " ".join(FAULT_CLASSES),
        "hazards:     " + " ".join(HAZARDS),
        "faults:      " + " ".join(FAULT_KINDS),
        "theorems:    " + " ".join(THEOREMS),
        "impossible:  " + " ".join(IMPOSSIBLE),
    ]
    for name in known_dialects():
        try:
            dialect = find_dialect(name)
        except ProfileError as error:
            lines.append(f"{name}: {error}")
            continue
        lines.append(f"switches of {name}:  {' '.join(s.name for s in dialect.switches)}")
        lines.append(f"profiles of {name}:  {' '.join(p.name for p in dialect.profiles)}")
    return "\n".join(lines) + "\n"


def _dialects() -> Iterator[Dialect]:
    """Yield all dialects; one that its package does not bring can't be asked, and is left out."""
    for name in known_dialects():
        try:
            yield find_dialect(name)
        except ProfileError:
            continue


def _explanations(name: str) -> Iterator[str]:
    if name.upper() in RULES:
        rule = RULES[name.upper()]
        yield (
            f"{rule.name} is a rule.\n  accuses  {rule.accuses}\n  spares   {rule.spares}\n"
            f"  source   {rule.source}\n{THEORY}"
        )
    if name in CAUSES:
        yield f"{name} is a cause of LOST.\n  {CAUSES[name]}\n"
    if name.upper() in FAULT_CLASSES:
        found = FAULT_CLASSES[name.upper()]
        yield (
            f"{found.id} is a fault class: {found.name}.\n  about    {found.about}\n"
            f"  source   {', '.join(found.threads)}\n{THEORY}"
        )
    if name in HAZARDS:
        hazard = HAZARDS[name]
        yield (
            f"{name} is a hazard.\n  about    {hazard.about}\n  source   {hazard.source}\n{THEORY}"
        )
    if name in FAULT_KINDS:
        kind = FAULT_KINDS[name]
        takes = ", ".join(("nth", "times", *kind.takes))
        yield (
            f"{name} is a kind of fault.\n  about    {kind.about}\n  fields   {takes}\n"
            f"  source   {kind.source}\n{THEORY}"
        )
    yield from _theory_texts(name)
    for dialect in _dialects():
        yield from (_switch_text(dialect, it) for it in dialect.switches if it.name == name)
        yield from (_profile_text(it) for it in dialect.profiles if it.name == name)


def _theory_texts(name: str) -> Iterator[str]:
    """Theorems and impossibilities: their names are short, so any case will do."""
    named = {known.upper(): known for known in (*THEOREMS, *IMPOSSIBLE)}.get(name.upper(), "")
    if named in THEOREMS:
        theorem = THEOREMS[named]
        yield (
            f"{named} is a theorem: {theorem.title}.\n  says     {theorem.says}\n"
            "  source   contracts/THEORY.md\n"
        )
    if named in IMPOSSIBLE:
        it = IMPOSSIBLE[named]
        yield (
            f"{named} is impossible: {it.situation}.\n  because  {it.because}\n  so       {it.so}\n"
            "  source   contracts/THEORY.md\n"
        )


def _switch_text(dialect: Dialect, switch: Switch) -> str:
    lines = [
        f"{switch.name} is a switch of {dialect.name}.",
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
        profiles = [
            profile.name for profile in dialect.profiles if value in profile.allowed[switch.name]
        ]
        lines.append(f"  value    {value!r}" + (f"  ({', '.join(marks)})" if marks else ""))
        lines.append(f"    from     {switch.origins[value]}")
        allowed = ", ".join(profiles) or f"no profile; serve --set {switch.name}={value} pins it"
        lines.append(f"    allowed  {allowed}")
    if switch.whole_from is not None:
        lines.append(f"  value    any whole number from {switch.whole_from} on, where it is pinned")
    return "\n".join(lines) + "\n"


def _profile_text(profile: Profile) -> str:
    lines = [
        f"{profile.name} is a profile of {profile.dialect}.",
        f"  about    {profile.about}",
        f"  source   {profile.source}",
    ]
    if profile.seen:
        lines.append(f"  date     {profile.seen}")
    for name, values in profile.unusual.items():
        lines.append(f"  sets     {name} = {' or '.join(map(repr, values))}")
    if not profile.unusual:
        lines.append("  sets     nothing: every switch has its default")
    return "\n".join(lines) + "\n"
