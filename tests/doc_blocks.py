"""The fenced blocks of a page, and what it takes to run them: the tests of the docs are made of this."""

from __future__ import annotations

import contextlib
import importlib
import io
import re
import shlex
import sys
import tomllib
import types
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from affectkit import registry

_FENCE = re.compile(r"^(?P<indent>\s*)(?P<ticks>`{3,})(?P<language>[\w+-]*)[ \t]*(?P<info>.*)$")
_TITLE = re.compile(r'title="([^"]+)"')


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        page: the file.
        line: number of its first line of content, from 1.
        language: the word after the fence.
        info: what follows it.
        text: content, without the fence's indent.
    """

    page: Path
    line: int
    language: str
    info: str
    text: str

    @property
    def title(self) -> str:
        """The file that the block is, by `title="my_plugin.py"`; empty for a snippet."""
        found = _TITLE.search(self.info)
        return found[1] if found else ""

    @property
    def is_output(self) -> bool:
        """Whether it is marked as what the Python block before it prints."""
        return self.language == "text" and self.title == "output"

    @property
    def where(self) -> str:
        """`page:line`."""
        return f"{self.page}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a Markdown file, in order. Raises ValueError for a fence that is never closed."""
    found: list[Block] = []
    lines = page.read_text(encoding="utf-8").splitlines()
    at = 0
    while at < len(lines):
        opening = _FENCE.match(lines[at])
        at += 1
        if opening is None:
            continue
        first, close = at, opening["indent"] + opening["ticks"]
        while at < len(lines) and lines[at].rstrip() != close:
            at += 1
        if at == len(lines):
            raise ValueError(f"{page}:{first}: fence is never closed")
        text = "".join(line.removeprefix(opening["indent"]) + "\n" for line in lines[first:at])
        found.append(Block(page, first + 1, opening["language"], opening["info"], text))
        at += 1
    return found


def run_page(page: Path, folder: Path) -> int:
    """Run a page's Python top to bottom in one namespace, in `folder`, with warnings as errors.

    A block with a title is written to that file first; a Python one is then imported, and its names are the page's
    too. A block `pyproject.toml` counts as installed from then on, so that its plugin is discovered.

    Arguments:
        page: the Markdown file.
        folder: an empty folder.

    Returns:
        How many Python blocks ran.

    Raises:
        AssertionError: a block raised, or did not print what the `text` block with the title `output` after it shows.
    """
    count = 0
    page_blocks = blocks(page)
    with _process(folder, page) as namespace:
        for i, block in enumerate(page_blocks):
            if block.title and block.language in ("python", "toml", "json"):
                path = folder / block.title
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block.text, encoding="utf-8")
                if path.name == "pyproject.toml":
                    _install(path)
                registry._discovered.cache_clear()
            if block.language != "python":
                continue
            printed = _run(block, namespace)
            count += 1
            if i + 1 < len(page_blocks) and page_blocks[i + 1].is_output:
                shown = page_blocks[i + 1]
                assert _lines(printed) == _lines(shown.text), f"{shown.where}: the block before it printed\n{printed}"
    return count


def commands(page: Path) -> list[tuple[str, list[str]]]:
    """Every `affectkit` command line of the page's `sh` blocks, as `(page:line, arguments)`."""
    found = []
    for block in blocks(page):
        if block.language == "sh":
            text = block.text.replace("\\\n", " " * 2)
            for i, line in enumerate(text.splitlines()):
                if line.removeprefix("$ ").startswith("affectkit "):
                    words = shlex.split(line.removeprefix("$ "), comments=True)
                    found.append((f"{page}:{block.line + i}", words[1:]))
    return found


def _run(block: Block, namespace: dict[str, object]) -> str:
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            if block.title:
                namespace.update(_import(block.title))
            else:
                # the blank lines put the page's own line numbers into tracebacks
                code = compile("\n" * (block.line - 1) + block.text, str(block.page), "exec", dont_inherit=True)
                exec(code, namespace)
    except BaseException as error:
        raise AssertionError(f"{block.where}: {type(error).__name__}: {error}") from error
    return printed.getvalue()


def _import(title: str) -> dict[str, object]:
    name = title.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    importlib.invalidate_caches()
    sys.modules.pop(name, None)
    return {key: value for key, value in vars(importlib.import_module(name)).items() if not key.startswith("__")}


def _install(pyproject: Path) -> None:
    """Write the metadata that an installed distribution has, beside its sources."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    folder = pyproject.parent / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    folder.mkdir(exist_ok=True)
    metadata = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (folder / "METADATA").write_text(metadata, encoding="utf-8")
    groups = project.get("entry-points", {}).items()
    text = "".join(f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in points.items()) for group, points in groups)
    (folder / "entry_points.txt").write_text(text, encoding="utf-8")
    importlib.invalidate_caches()


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip().splitlines()]


@contextlib.contextmanager
def _process(folder: Path, page: Path) -> Iterator[dict[str, object]]:
    """Work in `folder`, as a module of its own (config annotations are looked up there); put everything back after."""
    module = types.ModuleType(f"docs_page_{page.stem.replace('-', '_').replace('.', '_')}")
    before, path, cached = dict(sys.modules), list(sys.path), sys.dont_write_bytecode
    sys.modules[module.__name__] = module
    sys.path.insert(0, str(folder))
    # a titled block may be written twice within a second, which the time stamp of a cached file would hide
    sys.dont_write_bytecode = True
    try:
        with contextlib.chdir(folder), warnings.catch_warnings():
            warnings.simplefilter("error")
            yield vars(module)
    finally:
        sys.path[:], sys.dont_write_bytecode = path, cached
        registry._discovered.cache_clear()
        for name, known in list(sys.modules.items()):
            file = getattr(known, "__file__", None)
            if name not in before and (known is module or (file and Path(file).is_relative_to(folder))):
                del sys.modules[name]
