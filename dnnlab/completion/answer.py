"""The candidates for the next word on a command line: a command, an option, or a value of one."""

import contextlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dnnlab.completion.words import Word, for_bash, split
from dnnlab.errors import plain, unknown

VARIABLE = "_DNNLAB_COMPLETE"
"""The shells set it to ``complete_bash``, ``complete_zsh`` or ``complete_fish``, as Typer's own scripts do."""
NONE, SHELL = 1, 3
"""Exit codes: no candidate is known; the shell itself knows better."""


def answer(commands: Callable[[], Any]) -> int:
    """Print the candidates for the next word, one per line, and nothing else. The exit code says whether there are any.

    From bash the line up to the cursor comes in ``COMP_WORDS``, and as argument the part of its last word that bash
    will replace. From zsh and fish the words come as arguments.
    """
    shell = os.environ[VARIABLE].removeprefix("complete_")
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        try:
            with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
                lines = _lines(commands(), shell, sys.argv[1:])
        except Exception:  # noqa: BLE001 - whatever it is, a message would stand in the middle of what the user types
            return NONE
    if lines is None:
        return SHELL
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()
    return 0 if lines else NONE


def _lines(root: Any, shell: str, arguments: Sequence[str]) -> list[str] | None:
    if shell == "bash":
        words = split(os.environ["COMP_WORDS"])
    elif shell == "zsh":
        words = [split(raw)[-1] for raw in arguments]
    else:
        words = [Word(text, expands="$" in text or text.startswith("~")) for text in arguments]
    *before, typed = words
    if typed.expands:
        return None
    offers = [c for c in candidates(root, [word.text for word in before[1:]], typed.text) if plain(c) == c]
    return for_bash(offers, typed, arguments[0] if arguments else typed.text) if shell == "bash" else offers


def candidates(root: Any, before: Sequence[str], typed: str) -> list[str]:
    """The candidates for the word that begins with ``typed``, after the words ``before`` it. The name of the program is
    not among these; ``root`` is its command."""
    line = _Line(root.context_class(root, info_name=root.name, **root.context_settings))
    for word in before:
        line.take(word)
    return list(dict.fromkeys(c for c in line.following(typed) if c.startswith(typed)))


@dataclass
class _Line:
    """A command line up to the word that is completed. Commands and their parameters are Click's, whose classes Typer
    hides."""

    context: Any
    waiting: Any = None
    """The option whose value comes next."""
    arguments: int = 0
    """How many arguments have been read."""
    no_options: bool = False
    """Whether ``--`` has been read."""

    def take(self, word: str) -> None:
        """Read one more word."""
        if self.waiting is not None:
            self.context.params[self.waiting.name], self.waiting = word, None
        elif word == "--" and not self.no_options:
            self.no_options = True
        elif self._is_option(word):
            name, equals, value = word.partition("=")
            option = self._options().get(name)
            if option is not None and equals:
                self.context.params[option.name] = value
            elif option is not None and not option.is_flag:
                self.waiting = option
        elif commands := self._commands():
            if word not in commands:
                raise unknown("command", word, commands)
            command = commands[word]
            self.context = command.context_class(command, self.context, word, **command.context_settings)
        elif (argument := self._argument()) is not None:
            self.context.params[argument.name] = word
            self.arguments += 1

    def following(self, typed: str) -> list[str]:
        """The candidates for the next word, whether they begin with ``typed`` or not."""
        if self.waiting is not None:
            return self._values(self.waiting, typed)
        if self._is_option(typed):
            name, equals, value = typed.partition("=")
            if equals:
                option = self._options().get(name)
                values = [] if option is None else self._values(option, value)
                return [f"{name}={each}" for each in values]
            return list(self._options())
        if self._commands():
            return list(self._commands())
        argument = self._argument()
        if argument is None:
            return [] if typed else list(self._options())
        return self._values(argument, typed)

    def _is_option(self, word: str) -> bool:
        return word.startswith("-") and not self.no_options

    def _commands(self) -> Mapping[str, Any]:
        return getattr(self.context.command, "commands", {})

    def _options(self) -> dict[str, Any]:
        those = [p for p in self.context.command.get_params(self.context) if p.param_type_name == "option"]
        return {name: option for option in those if not option.hidden for name in option.opts}

    def _argument(self) -> Any:
        """The next argument; None where the command takes no other."""
        those = [p for p in self.context.command.params if p.param_type_name == "argument"]
        if those and those[-1].nargs == -1:
            return those[min(self.arguments, len(those) - 1)]
        return those[self.arguments] if self.arguments < len(those) else None

    def _values(self, parameter: Any, typed: str) -> list[str]:
        """The candidates that its ``autocompletion`` in `dnnlab.cli` or `runner.options` gives."""
        return [item.value for item in parameter.shell_complete(self.context, typed)]
