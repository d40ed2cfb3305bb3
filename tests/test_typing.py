"""Composition is checked by mypy: wrong kinds, misspelt fields and wrong factories are found before anything runs.

The files in `tests/typing` are not imported. Lines that mypy must refuse end in `# expect: code`, with its error codes.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

SNIPPETS = sorted((Path(__file__).parent / "typing").glob("*.py"))
_ERROR = re.compile(r"(?P<path>[^:]+):(?P<line>\d+): error: .* \[(?P<code>[a-z-]+)\]")
_EXPECT = re.compile(r"# expect: ([a-z, -]+)$")
Found = set[tuple[str, int, str]]


def expected() -> Found:
    return {
        (path.name, number, code)
        for path in SNIPPETS
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if (match := _EXPECT.search(line))
        for code in match[1].split(", ")
    }


def test_there_is_a_snippet_for_every_promise() -> None:
    assert [path.stem for path in SNIPPETS] == ["correct", "wrong_pipeline", "wrong_spec"]
    assert {name for name, _, _ in expected()} == {"wrong_pipeline.py", "wrong_spec.py"}
    assert len(expected()) >= 20


@pytest.mark.slow
def test_mypy_finds_what_is_wrong_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    from mypy import api

    monkeypatch.chdir(ROOT)
    options = ["--strict", "--config-file", "tests/typing/mypy.ini", "--no-error-summary", "--hide-error-context"]
    output, problems, _ = api.run([*options, *map(str, SNIPPETS)])
    assert problems == ""
    found: Found = set()
    for line in output.splitlines():
        # What mypy says of the package itself is not this test's matter.
        if line.startswith("tests/typing/") and ": note: " not in line:
            match = _ERROR.fullmatch(line)
            assert match, line
            found.add((Path(match["path"]).name, int(match["line"]), match["code"]))
    assert found == expected(), output
