"""The docs stay true: their Python runs, their files parse, their commands exist, and nothing public is left out."""

from __future__ import annotations

import argparse
import importlib.util
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import affectkit
from affectkit import registry
from tests.conftest import ROOT, SHARED
from tests.doc_blocks import Block, blocks, commands, run_page
from tests.test_imports import installed_plugins

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
REFERENCE = sorted((DOCS / "reference").rglob("*.md"))


def page_id(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks_in(language: str) -> list[Block]:
    return [block for page in PAGES for block in blocks(page) if block.language == language]


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_python_of_the_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AFFECTKIT_WEIGHTS", raising=False)
    monkeypatch.setenv("AFFECTKIT_CACHE", str(tmp_path / ".cache"))
    if page.parent.name == "plugins":
        # one has an environment of its own, and is importable here all the same, by its tests
        if f"affectkit-{page.stem}" not in installed_plugins():
            pytest.skip(f"affectkit-{page.stem} is not installed")
        # these show published weights, which no page fetches
        if not SHARED.is_dir():
            pytest.skip(f"no {SHARED}: weights are not shipped with the project")
        monkeypatch.setenv("AFFECTKIT_WEIGHTS", str(SHARED / "weights"))
    else:
        # these list what is at hand, which is more where more plugins are installed
        monkeypatch.setenv("AFFECTKIT_DISABLE_PLUGINS", ",".join(installed_plugins()))
    registry._discovered.cache_clear()
    written = sum(block.language == "python" for block in blocks(page))
    (tmp_path / "page").mkdir()
    assert run_page(page, tmp_path / "page") == written


@pytest.mark.parametrize("block", blocks_in("toml"), ids=lambda block: f"{page_id(block.page)}:{block.line}")
def test_toml_parses_and_pipelines_are_read(block: Block) -> None:
    from affectkit.files import config_from_data

    data = tomllib.loads(block.text)
    if "branches" in data or "members" in data:
        config_from_data(data).trace()
    else:
        assert data, f"{block.where}: empty"


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_commands_of_the_page_exist(page: Path) -> None:
    lines = commands(page)
    if lines and importlib.util.find_spec("affectkit.cli") is None:
        pytest.skip("affectkit.cli is not there yet")
    for where, words in lines:
        check_command(where, words)


def check_command(where: str, words: list[str]) -> None:
    parser = importlib.import_module("affectkit.cli").make_parser()
    assert isinstance(parser, argparse.ArgumentParser)
    code: object = 0
    try:
        parser.parse_args(words)
    except SystemExit as stop:  # `--help` ends with 0
        code = stop.code
    assert code == 0, f"{where}: affectkit {' '.join(words)}: the command line refuses this"


def test_every_fence_is_one_that_the_site_renders() -> None:
    for page in PAGES:
        for block in blocks(page):
            # a bare word after the language, as in `text output`, would show the fence itself on the page
            assert re.fullmatch(r'(\w+="[^"]*" *)*', block.info), f"{block.where}: {block.info!r} after the fence"


def navigation() -> list[str]:
    yaml = pytest.importorskip("yaml")
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))

    def files(entry: Any) -> list[str]:
        if isinstance(entry, str):
            return [entry]
        values = entry.values() if isinstance(entry, dict) else entry
        return [file for value in values for file in files(value)]

    return files(config["nav"])


def test_navigation_and_pages_are_the_same_set() -> None:
    listed = navigation()
    assert sorted(listed) == sorted(set(listed)), "a page stands twice in the navigation"
    assert sorted(listed) == sorted(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md"))


def test_every_public_name_is_in_the_reference() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in REFERENCE)
    directives = set(re.findall(r"^::: affectkit\.(?:\w+\.)*(\w+)$", text, re.MULTILINE))
    missing = sorted(set(affectkit.__all__) - directives - {"__version__"})
    assert not missing, f"write `::: affectkit.module.name` on a page of docs/reference for {missing}"


def test_every_directive_of_the_reference_names_something() -> None:
    for page in REFERENCE:
        for target in re.findall(r"^::: ([\w.]+)$", page.read_text(encoding="utf-8"), re.MULTILINE):
            module, _, name = target.rpartition(".")
            found = importlib.import_module(module)
            assert hasattr(found, name) or importlib.util.find_spec(target), f"{page.name}: {target} is not there"


def test_members_listed_in_the_reference_are_public_methods() -> None:
    for page in REFERENCE:
        text = page.read_text(encoding="utf-8")
        for target, options in re.findall(r"^::: ([\w.]+)\n((?:    .*\n)*)", text, re.MULTILINE):
            module, _, name = target.rpartition(".")
            owner = getattr(importlib.import_module(module), name)
            for member in re.findall(r"^        - (\w+)$", options, re.MULTILINE):
                assert hasattr(owner, member), f"{page.name}: {target} has no {member!r}"


def write_page(folder: Path, text: str) -> Path:
    page = folder / "page.md"
    page.write_text(text, encoding="utf-8")
    return page


def test_a_failing_block_is_reported_with_its_line(tmp_path: Path) -> None:
    page = write_page(tmp_path, "# Page\n\n```python\nx = 1\n```\n\n```python\nx / 0\n```\n")
    with pytest.raises(AssertionError) as caught:
        run_page(page, tmp_path)
    assert str(caught.value) == f"{page}:8: ZeroDivisionError: division by zero"


def test_a_warning_fails_a_block(tmp_path: Path) -> None:
    page = write_page(tmp_path, "```python\nimport warnings\nwarnings.warn('old', FutureWarning)\n```\n")
    with pytest.raises(AssertionError) as caught:
        run_page(page, tmp_path)
    assert str(caught.value) == f"{page}:2: FutureWarning: old"


def test_wrong_output_is_reported(tmp_path: Path) -> None:
    page = write_page(tmp_path, '```python\nprint(1 + 1)\n```\n\n```text title="output"\n3\n```\n')
    with pytest.raises(AssertionError) as caught:
        run_page(page, tmp_path)
    assert str(caught.value).splitlines()[0] == f"{page}:6: the block before it printed"


def test_text_without_the_mark_is_not_compared(tmp_path: Path) -> None:
    page = write_page(tmp_path, "```python\nprint(1 + 1)\n```\n\n```text\n3\n```\n")
    assert run_page(page, tmp_path) == 1


def test_a_titled_block_is_a_file_that_later_blocks_import(tmp_path: Path) -> None:
    page = write_page(
        tmp_path, '```python title="part.py"\nx = 7\n```\n```python\nimport part\nassert part.x == x == 7\n```\n'
    )
    assert run_page(page, tmp_path) == 2
    assert (tmp_path / "part.py").read_text(encoding="utf-8") == "x = 7\n"


def test_an_open_fence_is_reported(tmp_path: Path) -> None:
    page = write_page(tmp_path, "```python\nx = 1\n")
    with pytest.raises(ValueError) as caught:  # noqa: PT011, the whole message is compared below
        blocks(page)
    assert str(caught.value) == f"{page}:1: fence is never closed"


def test_commands_are_found_and_a_wrong_one_is_refused(tmp_path: Path) -> None:
    page = write_page(tmp_path, "```sh\nmake demo\naffectkit no-such-command --x\n```\n")
    (line,) = commands(page)
    assert line == (f"{page}:3", ["no-such-command", "--x"])
    if importlib.util.find_spec("affectkit.cli") is None:
        pytest.skip("affectkit.cli is not there yet")
    with pytest.raises(AssertionError):
        check_command(*line)
