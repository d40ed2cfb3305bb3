"""Pipeline files: TOML and JSON, round trips, and messages that name file, path and remedy."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from affectkit.configs import ModelConfig
from affectkit.errors import ConfigError, RegistryError
from affectkit.files import config_from_data, config_to_data, parse_text, read_config, write_config, write_text
from affectkit.registry import Registry
from tests.test_codec import ENSEMBLE, FULL
from tests.toys import REGISTRY, LeakyConfig, NullConfig, message_of, pipeline

TOML = """
[input]
height = 8
width = 8

[branches.face.features]
use = "net"

[heads.expression]
use = "toys/scores"
"""
HEADS = "task heads at hand: 'narrow', 'scores'"


@pytest.mark.parametrize("ending", ["toml", "json"])
@pytest.mark.parametrize("config", [FULL, ENSEMBLE, pipeline()])
def test_a_round_trip_through_a_file(config: ModelConfig, ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"model.{ending}"
    write_config(config, path, registry=REGISTRY)
    twin = read_config(str(path), registry=REGISTRY)
    assert twin == config
    assert hash(twin) == hash(config)
    before = path.read_text(encoding="utf-8")
    write_config(twin, path, registry=REGISTRY)
    assert path.read_text(encoding="utf-8") == before
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


def test_a_file_states_format_and_kind(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    write_config(ENSEMBLE, path, registry=REGISTRY)
    data = json.loads(path.read_text())
    assert (data["format"], data["kind"]) == (1, "ensemble")
    assert {key: value for key, value in data.items() if key != "format"} == config_to_data(ENSEMBLE, registry=REGISTRY)


def test_people_write_less(tmp_path: Path) -> None:
    path = tmp_path / "model.toml"
    path.write_text(TOML)
    assert read_config(path, registry=REGISTRY) == pipeline()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.toml",
            "[heads\n",
            "FILE: not TOML (Expected ']' at the end of a table declaration (at line 1, column 7)); mend the line",
        ),
        ("a.json", '{"heads": }', "FILE: not JSON (Expecting value: line 1 column 11 (char 10)); mend the line"),
        ("a.json", "", "FILE: not JSON (Expecting value: line 1 column 1 (char 0)); mend the line"),
        ("a.json", "[1]", "FILE: holds list; write an object"),
        (
            "a.json",
            '{"heads": {"a": 1, "b": 2, "a": 3}}',
            "FILE: key 'a' twice; JSON here has unique keys and finite numbers",
        ),
        ("a.json", '{"x": NaN}', "FILE: number NaN; JSON here has unique keys and finite numbers"),
        ("a.json", '{"x": -Infinity}', "FILE: number -Infinity; JSON here has unique keys and finite numbers"),
        ("a.yaml", "heads: {}", "FILE: ending '.yaml'; give a .toml or .json file"),
        ("a", "", "FILE: ending ''; give a .toml or .json file"),
        ("a.toml", "format = 2", "FILE: format: format 2; this affectkit reads up to 1: update it"),
        ("a.toml", "format = 0", "FILE: format: format 0; write 1"),
        ("a.toml", "format = '1'", "FILE: format: format '1'; write 1"),
        ("a.json", '{"format": true}', "FILE: format: format True; write 1"),
        ("a.toml", "kind = 'model'", "FILE: kind: unknown kind 'model'; kinds: 'pipeline', 'ensemble'"),
        ("a.toml", "kind = ['pipeline']", "FILE: kind: unknown kind ['pipeline']; kinds: 'pipeline', 'ensemble'"),
        (
            "a.toml",
            TOML + "\n[branches.face.featurs]",
            "FILE: branches.face: unknown key 'featurs'; did you mean 'features'? keys: 'source', 'motion', 'features'",
        ),
        ("a.toml", TOML + "weight = inf", "FILE: heads.expression.weight: inf is not finite; write a finite number"),
        (
            "a.toml",
            TOML + "weight = 2020-01-01",
            "FILE: heads.expression.weight: datetime.date(2020, 1, 1) is a date; expected float",
        ),
        ("a.json", '{"input": {"height": 8, "width": 1e999}}', "FILE: input.width: inf is a float; expected int"),
        ("a.toml", "", "FILE: inputs: no inputs; write input=FrameStream(height=..., width=...)"),
    ],
)
def test_wrong_files(name: str, content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(content)
    assert message_of(ConfigError, read_config, path, registry=REGISTRY) == message.replace("FILE", str(path))


@pytest.mark.parametrize(
    ("component", "message"),
    [
        ("lstm", f"FILE: heads.expression.use: no task head 'lstm'; {HEADS}"),
        ("acme/scores", "FILE: heads.expression.use: no task head 'acme/scores'; run pip install acme"),
    ],
)
def test_a_component_that_is_not_there(component: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text(TOML.replace("toys/scores", component))
    assert message_of(RegistryError, read_config, path, registry=REGISTRY) == message.replace("FILE", str(path))


def test_a_file_that_can_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    assert message_of(ConfigError, read_config, path) == f"{path}: no such file; check the path"
    path.write_bytes(b"x = '\xff'")
    assert message_of(ConfigError, read_config, path) == (
        f"{path}: can't be read ('utf-8' codec can't decode byte 0xff in position 5: invalid start byte); "
        "give a text file in UTF-8"
    )
    assert message_of(ConfigError, read_config, tmp_path) == (
        f"{tmp_path}: can't be read ([Errno 21] Is a directory: '{tmp_path}'); give a text file in UTF-8"
    )


def test_hostile_files(tmp_path: Path) -> None:
    deep, long = tmp_path / "deep.json", tmp_path / "long.toml"
    deep.write_text('{"a": ' + "[" * 100_000)
    long.write_text("a = " + "9" * 5000)
    message = message_of(ConfigError, read_config, deep)
    assert message.startswith(f"{deep}: can't be read (maximum recursion depth exceeded")
    assert message.endswith("); give a pipeline")
    assert message_of(ConfigError, read_config, long) == (
        f"{long}: can't be read (Exceeds the limit (4300 digits) for integer string conversion: value has 5000 digits; "
        "use sys.set_int_max_str_digits() to increase the limit); give a pipeline"
    )


def test_other_endings_are_not_written(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    assert message_of(ConfigError, write_config, pipeline(), path, registry=REGISTRY) == (
        f"{path}: ending '.yaml'; write a .toml or .json file"
    )
    assert not path.exists()


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text("old")
    with pytest.raises(RegistryError):
        write_config(pipeline(), path, registry=Registry())
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "\ud800")
    assert path.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["a.toml"]


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"limit": None}, "temporal.limit"),
        ({"sizes": (1, None)}, "temporal.sizes[1]"),
        ({"table": {"a": 1, "b": None}}, "temporal.table.b"),
    ],
)
def test_toml_has_no_null(fields: dict[str, Any], where: str, tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    config = pipeline(temporal=NullConfig(**fields))
    assert message_of(ConfigError, write_config, config, path, registry=REGISTRY) == (
        f"{path}: {where}: None can't be said in TOML; write a .json file"
    )
    assert not path.exists()
    write_config(config, path.with_suffix(".json"), registry=REGISTRY)
    assert read_config(path.with_suffix(".json"), registry=REGISTRY) == config


def test_nothing_in_a_file_is_imported() -> None:
    data = {"heads": {"x": {"use": "os:system"}}}
    assert message_of(RegistryError, config_from_data, data, registry=REGISTRY) == (
        f"heads.x.use: no task head 'os:system'; {HEADS}"
    )


def test_data_without_a_file() -> None:
    config = pipeline(temporal=LeakyConfig())
    data = config_to_data(config, registry=REGISTRY)
    assert config_from_data(data, registry=REGISTRY) == config
    assert config_from_data({"format": 1, **data}, registry=REGISTRY) == config
    assert message_of(ConfigError, config_from_data, {"format": 9}, registry=REGISTRY) == (
        "format: format 9; this affectkit reads up to 1: update it"
    )


def test_parse_text() -> None:
    assert parse_text("a = 1", ".toml", "x") == tomllib.loads("a = 1")
    assert parse_text('{"a": 1}', ".json", "x") == {"a": 1}
    assert (
        message_of(ConfigError, parse_text, "", ".ini", "x.ini") == "x.ini: ending '.ini'; give a .toml or .json file"
    )


def test_a_byte_order_mark_is_no_part_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    write_config(pipeline(), path, registry=REGISTRY)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_config(path, registry=REGISTRY) == pipeline()


def test_the_folder_has_to_be_there(tmp_path: Path) -> None:
    path = tmp_path / "no" / "p.toml"
    assert message_of(ConfigError, lambda: write_config(pipeline(), path, registry=REGISTRY)) == (
        f"{path}: no folder '{tmp_path / 'no'}'; make it first"
    )
