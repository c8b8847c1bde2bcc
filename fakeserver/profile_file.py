"""A profile that was measured: what answers of a real service say about each switch, with a date.

`fakeserver probe` and `fakeserver trace` write such files; whoever takes the name of a profile
takes the path of one as well. A switch that the answers leave open keeps every value that the
document allows, so that a client is held to all of them.
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from fakeserver.dialects import find_dialect
from fakeserver.errors import ProfileError
from fakeserver.misfits import misfit
from fakeserver.profile import MeasuredLateness, Profile, SwitchValue, build_profile

AGE_DAYS_MAX = 90
"""A service changes without telling: what it did a quarter ago may no longer be so."""
FILE_BYTES_MAX = 4 * 2**20
"""A probe with its sixty requests writes some 30 KB."""

Status = Literal["decided", "narrowed", "undecided", "contradicted"]
Made = Literal["probed", "traced"]

_NAME = re.compile(r"(?:probed|traced)-(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})")


class SwitchFinding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What answers say about one switch.

    `values` has the one value of a ``decided`` switch, those that are left of a ``narrowed`` one,
    and none otherwise. ``contradicted`` means that the service does what no value of the switch
    describes: there the fake is not true. `evidence` is a sentence, `requests` the numbers of those
    that it rests on (from 1).
    """

    status: Status
    values: tuple[SwitchValue, ...] = ()
    evidence: str
    requests: tuple[int, ...] = ()


class AskedRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One request: its path and query with ids left out, and the SHA-256 of the answer's body."""

    number: int
    target: str
    status: int
    sha256: str


class ProfileFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `profile.json` holds. No token, no host, no event."""

    format: Literal[1] = 1
    dialect: str
    made: Made
    seen: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
    switches: dict[str, SwitchFinding]
    lateness: MeasuredLateness | None = None
    requests: tuple[AskedRequest, ...] = ()

    @property
    def name(self) -> str:
        """What its profile is called: the date stays with every scenario and verdict."""
        return f"{self.made}-{self.seen}"

    def to_json(self) -> bytes:
        """Write it as indented JSON, the same bytes on every machine."""
        return msgspec.json.format(msgspec.json.encode(self, order="deterministic"), indent=2) + (
            b"\n"
        )

    def as_profile(self) -> Profile:
        """Return it as a profile. Raises `ProfileError` for a switch that does not exist.

        Decided switches are pinned, narrowed ones keep what is left; the others may be anything
        that the document allows. A lateness that was measured goes with it.
        """
        found = find_dialect(self.dialect)
        for name, finding in self.switches.items():
            count = len(finding.values)
            fits = {"decided": count == 1, "narrowed": count > 1}
            if not fits.get(finding.status, count == 0):
                raise ProfileError(f"switch {name!r} is {finding.status} with {count} values")
        if self.lateness is not None:
            self.lateness.check()
        profile = build_profile(
            dialect=self.dialect,
            name=self.name,
            about=f"what the answers of a service showed on {self.seen}",
            source=f"answers of a service, {self.made} by fakeserver",
            seen=self.seen,
            switches=found.switches,
            values="documented",
            changes={
                name: finding.values for name, finding in self.switches.items() if finding.values
            },
        )
        return msgspec.structs.replace(profile, lateness=self.lateness)

    def pins(self) -> dict[str, SwitchValue]:
        """Return one value for each switch that is known: for a fake that is to be like it."""
        chosen: dict[str, SwitchValue] = {}
        dialect = find_dialect(self.dialect)
        for name, finding in self.switches.items():
            usual = dialect.switch(name).default
            if finding.values and usual not in finding.values[1:]:
                chosen[name] = finding.values[0]
        return chosen


_decoder = msgspec.json.Decoder(ProfileFile)


def is_path(name: str) -> bool:
    """Whether the name of a profile is the path of a file; no profile of ours looks like one."""
    return name.endswith(".json") or "/" in name or "\\" in name


def load_profile_file(path: str | Path) -> ProfileFile:
    """Read a profile file. Raises `ProfileError` that says what was expected and what came."""
    try:
        if Path(path).stat().st_size > FILE_BYTES_MAX:
            raise ProfileError(f"{path}: expected at most {FILE_BYTES_MAX} bytes of a profile")
        text = Path(path).read_bytes()
    except OSError as error:
        raise ProfileError(f"can't read the profile {path}: {error.strerror}") from error
    try:
        found = _decoder.decode(text)
        date.fromisoformat(found.seen)
        found.as_profile()
    except msgspec.ValidationError as error:
        raise ProfileError(
            f"{path}: {misfit(error, ProfileFile)}; expected what 'fakeserver probe' writes"
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProfileError(f"{path}: not JSON: {error}") from error
    except ValueError as error:
        raise ProfileError(f"{path}: {error}") from error
    return found


def find_profile(dialect: str, name: str) -> Profile:
    """Return the profile called `name`, or the one in the file with that path.

    Raises `ProfileError`; also for a file that was measured at another API.
    """
    found = find_dialect(dialect)
    if not is_path(name):
        return found.profile(name)
    measured = load_profile_file(name)
    if measured.dialect != dialect:
        raise ProfileError(
            f"{name}: expected a profile of {dialect}, got one of {measured.dialect}"
        )
    return measured.as_profile()


def age_note(profile_name: str, today: date) -> str | None:
    """Say that a profile rests on answers that are older than `AGE_DAYS_MAX` days, or None."""
    match = _NAME.search(profile_name)
    if match is None:
        return None
    days = (today - date.fromisoformat(match["day"])).days
    if days <= AGE_DAYS_MAX:
        return None
    return (
        f"the profile {match[0]} rests on answers that are {days} days old; "
        "ask the service again with 'fakeserver probe' or 'fakeserver trace'"
    )
