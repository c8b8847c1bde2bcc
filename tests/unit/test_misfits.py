"""Errors of msgspec, retold: what would fit in that place."""

from typing import Literal

import msgspec
import pytest

from fakeserver.errors import UsageError
from fakeserver.misfits import is_unknown_field, misfit


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    colour: Literal["red", "green"] = "red"
    number: int = 0


class Even(msgspec.Struct, tag="even", tag_field="of", forbid_unknown_fields=True):
    pass


class Odd(msgspec.Struct, tag="odd", tag_field="of", forbid_unknown_fields=True):
    pass


class Outer(msgspec.Struct, forbid_unknown_fields=True):
    inner: Inner | None = None
    many: tuple[Inner, ...] = ()
    named: dict[str, Inner] = {}
    parity: Even | Odd | None = None
    version: Literal[1] = 1

    def __post_init__(self) -> None:
        if len(self.many) > 2:
            raise UsageError("many: expected at most 2")


class Empty(msgspec.Struct, forbid_unknown_fields=True):
    pass


def complaint(text: str, kind: type = Outer) -> str:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(text, type=kind)
    assert is_unknown_field(caught.value) == ("unknown field" in str(caught.value))
    return misfit(caught.value, kind)


NAMES = "expected one of inner, many, named, parity, version, got"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"inr": {}}', f"{NAMES} 'inr'; did you mean inner?"),
        ('{"else": 1}', f"{NAMES} 'else'"),
        ('{"colour": "red"}', f"{NAMES} 'colour'; put colour inside inner"),
        ('{"inner": {"x": 1}}', "expected one of colour, number, got 'x' - at `$.inner`"),
        (
            '{"many": [{}, {"numbr": 1}]}',
            "expected one of colour, number, got 'numbr' - at `$.many[1]`; did you mean number?",
        ),
        (
            '{"named": {"a": {"colour": "blue"}}}',
            "expected one of red, green, got 'blue' - at `$.named[...].colour`",
        ),
        ('{"parity": {"of": "none"}}', "expected one of even, odd, got 'none' - at `$.parity.of`"),
        ('{"parity": {"of": "odd", "x": 1}}', "Object contains unknown field `x` - at `$.parity`"),
        ('{"version": 9}', "expected 1, got 9 - at `$.version`"),
        ('{"many": [{}, {}, {}]}', "many: expected at most 2"),
        ('{"inner": 5}', "Expected `object | null`, got `int` - at `$.inner`"),
    ],
)
def test_it_says_what_would_fit(text, says):
    assert complaint(text) == says


def test_a_struct_without_fields_takes_none():
    assert complaint('{"seed": 1}', Empty) == "expected no field, got 'seed'"


def test_a_long_name_is_cut():
    assert len(complaint(f'{{"{"x" * 10_000}": 1}}')) < 200
