"""Writes ``docs/cli.md``, the reference of the command line, from the program itself: ``python -m docs.make_cli``."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dnnlab.cli import commands

FILE = Path(__file__).with_name("cli.md")
_HEAD = """\
# Command line

Every command and option, written from the program by `make docs`. Lists are comma-separated or repeated, and lists in
several options mean their product. stdout is data, stderr progress and messages. Exit code 0: done; 1: something
failed, or a verdict was not what `--expect` says; 2: the command was wrong; 130 or 143: stopped.
"""


def reference() -> str:
    """The whole document."""
    parts = [_HEAD]
    for words, command in _commands(commands(), "dnnlab"):
        parts.append(f"## {words}\n\n{_plain(command.help or '')}\n")
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        options = [p for p in command.params if p.param_type_name == "option" and not p.is_eager and p.name != "help"]
        if arguments:
            parts.append(_table("argument", [(f"`{p.name.upper()}`", p.help or "", "") for p in arguments]))
        for panel in dict.fromkeys(getattr(p, "rich_help_panel", None) for p in options):
            own = [p for p in options if getattr(p, "rich_help_panel", None) == panel]
            title = f"### {panel}\n\n" if panel else ""
            parts.append(title + _table("option", [(_names(p), p.help or "", _default(p)) for p in own]))
    return "\n".join(parts)


def _commands(command: Any, words: str) -> Iterator[tuple[str, Any]]:
    if words != "dnnlab":
        yield words, command
    for name, child in getattr(command, "commands", {}).items():
        yield from _commands(child, f"{words} {name}")


def _plain(text: str) -> str:
    """Rich's marks as Markdown's."""
    text = re.sub(r"\[cyan\](.*?)\[/cyan\]", lambda m: f"`{' '.join(m[1].split())}`", text, flags=re.DOTALL)
    text = re.sub(r"\[/?bold\]", "**", text).replace("\\[", "[")
    return "\n".join(line.strip() for line in text.strip().splitlines())


def _names(option: Any) -> str:
    return ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts)) + (
        f" {option.metavar}" if option.metavar else ""
    )


def _default(option: Any) -> str:
    value = option.default
    if callable(value) or value in (None, "", False, (), []) or not getattr(option, "show_default", True):
        return ""
    return f"`{', '.join(map(str, value)) if isinstance(value, list | tuple) else value}`"


def _table(what: str, rows: list[tuple[str, str, str]]) -> str:
    lines = [f"| {what} | meaning | default |", "|---|---|---|"]
    lines += [f"| {name} | {_plain(help).replace('|', chr(92) + '|')} | {default} |" for name, help, default in rows]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    FILE.write_text(reference(), encoding="utf-8")
