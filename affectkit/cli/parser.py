"""The argument parser: `argparse`, with errors that name the option or command that was probably meant."""

from __future__ import annotations

import argparse
import re
import sys
from typing import Any

from affectkit.errors import listed, nearest

_OPTION = re.compile(r"--?[A-Za-z]")


class Parser(argparse.ArgumentParser):
    """Looks for misspelled names before anything else: a missing option is often one that is there, misspelled."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As `argparse`, but nothing unknown is passed on: each command says itself what it does not take."""
        words = sys.argv[1:] if args is None else list(args)
        commands = self._commands()
        for word in words:
            if word == "--":
                break
            if _OPTION.match(word):
                name = word.partition("=")[0]
                if name not in self._option_string_actions:
                    self._refuse("option", name, list(self._option_string_actions))
            elif commands:
                if word not in commands:
                    self._refuse("command", word, commands)
                break  # what follows is the command's
        found, rest = super().parse_known_args(words, namespace)
        if rest:
            self.error(f"unexpected {listed(rest)}")
        return found, rest

    def _commands(self) -> list[str]:
        return [name for action in self._actions if action.dest == "command" for name in action.choices or ()]

    def _refuse(self, noun: str, name: str, known: list[str]) -> None:
        close = nearest(name, known)
        self.error(f"no {noun} {name!r}; " + (f"did you mean {close!r}?" if close else f"{noun}s: {listed(known)}"))
