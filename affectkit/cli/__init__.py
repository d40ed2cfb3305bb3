"""The command `affectkit`. One file per command; what only looks things up never imports torch.

Exit codes: 0 all is well, 1 an error of affectkit's (one line on stderr) or a failed check, 2 wrong usage,
130 stopped with Ctrl-C, 143 by SIGTERM.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import warnings
from collections.abc import Iterator, Sequence as Items
from contextlib import contextmanager
from typing import Any, TextIO

from affectkit.cli import (
    aggregate,
    analyze,
    calibrate,
    check,
    components,
    data,
    demo,
    describe,
    evaluate,
    export,
    features,
    join,
    magnify,
    plugins,
    predict,
    score,
    search,
    smooth,
    submit,
    train,
    weights,
)
from affectkit.cli.interrupts import one_interrupt
from affectkit.cli.output import Output
from affectkit.cli.parser import Parser
from affectkit.errors import (
    AffectkitError,
    CacheWarning,
    DataWarning,
    FallbackWarning,
    PluginWarning,
    RenamedWarning,
    SyntheticWeightsWarning,
    UntrainedWarning,
)

_CATEGORIES = (
    CacheWarning, DataWarning, FallbackWarning, PluginWarning, RenamedWarning, SyntheticWeightsWarning,
    UntrainedWarning,
)  # fmt: skip
GROUPS = (data, weights)
COMMANDS = (
    demo, analyze, magnify, features, predict, train, calibrate, evaluate, search, join, export, smooth, aggregate,
    score, submit, data, weights, plugins, components, describe, check,
)  # fmt: skip


def main(argv: Items[str] | None = None) -> int:
    """Run a command line and return its exit code; `argv` is without the program's name."""
    parser = make_parser()
    try:
        args = parser.parse_args(argv)
    except SystemExit as stop:  # argparse has printed the help, the version or what is wrong
        return int(stop.code or 0)
    if args.command is None:
        parser.print_help(sys.stderr)
        return 2
    if isinstance(sys.stdout, io.TextIOWrapper):
        # As Python's stderr: a terminal or file of another encoding gets an escape in place of a traceback.
        sys.stdout.reconfigure(errors="backslashreplace")
    output = Output(as_json=args.json)
    with one_interrupt():
        return _run(args, output)


def _run(args: argparse.Namespace, output: Output) -> int:
    try:
        with _warnings_as_lines():
            code: int = args.run(args, output)
            sys.stdout.flush()
            return code
    except AffectkitError as error:
        output.json({"ok": False, "error": {"type": type(error).__name__, "message": str(error)}})
        if args.traceback:
            raise
        _report(f"error: {error}", error)
        return 1
    except BrokenPipeError:
        # Whoever read the output has gone, as `head` does; what is still buffered must not fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt as stop:
        _report("stopped", stop)
        return 130
    except SystemExit as stop:
        # a training that SIGTERM ended
        _report("stopped", stop)
        return int(stop.code or 0)


def make_parser() -> Parser:
    """The parser of the whole command line."""
    parser = Parser(
        prog="affectkit", description="Facial-affect systems from interchangeable components.", allow_abbrev=False
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    commands = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND")
    for module in COMMANDS:
        name = module.__name__.rpartition(".")[2]
        if module in GROUPS:
            group = commands.add_parser(name, help=module.SUMMARY, description=module.SUMMARY, allow_abbrev=False)
            parts = group.add_subparsers(title="commands", dest="command", metavar="COMMAND", required=True)
            for part in module.COMMANDS:
                _add_command(parts, part.__name__.rpartition("_")[2], part)
        else:
            _add_command(commands, name, module)
    return parser


def _add_command(commands: Any, name: str, module: Any) -> None:
    command = commands.add_parser(name, help=module.SUMMARY, description=module.SUMMARY, allow_abbrev=False)
    module.add_arguments(command)
    command.add_argument("--json", action="store_true", help="print JSON for programs")
    command.add_argument("--traceback", action="store_true", help="show where an error arose")
    command.set_defaults(run=module.run)


class _Version(argparse.Action):
    """Looks the version up when it is asked for, since that takes longer than parsing."""

    def __call__(self, parser: argparse.ArgumentParser, *args: Any, **kwargs: Any) -> None:
        from importlib.metadata import version

        sys.stdout.write(f"affectkit {version('affectkit')}\n")
        parser.exit(0)


@contextmanager
def _warnings_as_lines() -> Iterator[None]:
    """Our own warnings as one line each on stderr, without the place in the code."""
    with warnings.catch_warnings():
        for category in _CATEGORIES:
            warnings.simplefilter("always", category)
        show = warnings.showwarning

        def line(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if category.__module__.partition(".")[0] == "affectkit":
                sys.stderr.write(f"warning: {message}\n")
            else:
                show(message, category, filename, lineno, file, line)

        warnings.showwarning = line
        yield


def _report(text: str, error: BaseException) -> None:
    """A line on stderr, and the notes that the error carries, such as where the rows so far are."""
    sys.stderr.write("\n".join([text, *getattr(error, "__notes__", [])]) + "\n")
