"""The page of the command line, made of what the commands say of themselves.

``python -m tests.tidy.command_line`` writes contracts/COMMAND-LINE.md; a test compares the two.
"""

from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path
from typing import Any

import click

from fakeserver.cli import cli
from fakeserver.dialects import DIALECTS
from fakeserver.pytest_plugin.options import OPTIONS

PAGE = Path(__file__).parents[2] / "contracts" / "COMMAND-LINE.md"
HEAD = """\
# The command line

Every command with its arguments and options. This page is written by
`python -m tests.tidy.command_line`; `--help` of each command says the same, and
`fakeserver --version` which version it is.

Exit status of all commands: 0 kept, or done; 1 broken; 2 the command is wrong; 3 inconclusive. A
report goes to stdout, everything else to stderr. `CLIENT` is `path.py:name` or
`package.module:name`; everything behind `--` is a program in any language
([A client under test](CLIENTS.md)). Spans are written like `30s`, `5m` or `1.5h`. A dialect that
another package brings is named like ours.
"""


def page() -> str:
    """The whole page."""
    context = click.Context(cli, info_name="fakeserver", **cli.context_settings)
    sections = [HEAD]
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        sections.append("\n".join(_section(name, command)))
    sections.append("\n".join(_pytest_section()))
    return "\n".join(sections)


def _section(name: str, command: click.Command) -> Iterator[str]:
    arguments = [p for p in command.params if isinstance(p, click.Argument)]
    options = [p for p in command.params if isinstance(p, click.Option)]
    usage = " ".join(_argument(argument) for argument in arguments)
    yield f"## fakeserver {name}{' ' if usage else ''}{usage}\n"
    yield cleandoc(command.help or "") + "\n"
    if options:
        yield "| option | meaning |"
        yield "|---|---|"
        yield from map(_row, options)
        yield ""


def _argument(argument: click.Argument) -> str:
    shown = argument.metavar or (argument.name or "").upper()
    return shown if argument.required or argument.metavar else f"[{shown}]"


def _row(option: click.Option) -> str:
    names = ", ".join(
        f"`{name}{_value(option)}`" for name in (*option.opts, *option.secondary_opts)
    )
    says = _escaped(option.help or "")
    if option.required:
        says += " Required."
    if option.show_default and option.default not in (None, ()):
        says += f" Default: `{option.default}`."
    return f"| {names} | {says} |"


def _value(option: click.Option) -> str:
    """What stands behind an option, or nothing for one that takes no value."""
    if option.is_flag:
        return ""
    if option.metavar:
        return f" {option.metavar}"
    if isinstance(option.type, click.Choice):
        return " " + "\\|".join(map(str, option.type.choices))
    if option.type.name == "dialect":
        return " " + "\\|".join(DIALECTS)
    return f" {option.type.name.upper().replace(' RANGE', '')}"


def _pytest_section() -> Iterator[str]:
    yield "## pytest\n"
    yield (
        "Options of the [plugin](PYTEST.md) and of the suite `fakeserver.contracts` "
        "([its page](README.md)).\n"
    )
    yield "| option | meaning |"
    yield "|---|---|"
    for option in OPTIONS:
        yield f"| `{option.flag} {option.metavar}` | {_escaped(option.about)} |"
    yield ""


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def option_names() -> set[str]:
    """Every option of every command, and of the suite."""
    context: Any = click.Context(cli, info_name="fakeserver", **cli.context_settings)
    commands = [cli, *(cli.get_command(context, name) for name in cli.list_commands(context))]
    found = {"--help", *(option.flag for option in OPTIONS)}
    for command in commands:
        assert command is not None
        for param in command.get_params(context):
            found |= {*param.opts, *param.secondary_opts}
    return {name for name in found if name.startswith("--")}


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
