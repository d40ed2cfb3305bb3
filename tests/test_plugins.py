"""Discovery, over distributions that importlib.metadata finds: what breaks, what it costs, and what is said."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from affectkit.errors import PluginError, PluginWarning
from affectkit.plugins import Plugin, discover, is_discovering, normalize
from affectkit.registry import Registry
from tests.fake_distributions import GOOD, PRELUDE, Site
from tests.toys import message_of

HOOKS = "the hooks are affectkit_components and affectkit_pipelines"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    for name in ("AFFECTKIT_DISABLE_PLUGINS", "AFFECTKIT_STRICT_PLUGINS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    found = Site(tmp_path)
    yield found
    found.forget()


def states(plugins: tuple[Plugin, ...]) -> dict[str, str]:
    return {f"{plugin.report.provider}:{plugin.report.entry_point}": plugin.report.state for plugin in plugins}


def error_of(site: Site, provider: str = "bad") -> str:
    """The error of the one plugin that fails; its warning says the same, and nothing else warns."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        plugins = site.discover()
    failed = [plugin for plugin in plugins if plugin.report.state == "failed"]
    assert [plugin.report.provider for plugin in failed] == [provider]
    report = failed[0].report
    assert (failed[0].components, failed[0].pipelines, report.components, report.pipelines) == ((), (), (), ())
    assert [(str(item.message), item.category) for item in caught] == [
        (
            f"{provider}: plugin {report.entry_point!r} failed ({report.error}); its components are missing",
            PluginWarning,
        )
    ]
    return report.error


def test_a_good_plugin(site: Site) -> None:
    body = """
        @hookimpl
        def affectkit_pipelines():
            yield PipelineSpec(name="preset", config=dict, summary="Preset.")
    """
    site.add("Acme_Faces.Extra", GOOD + body.replace("\n        ", "\n"), module="acme_faces", version="2.5")
    (plugin,) = site.discover()
    report = plugin.report
    assert (report.provider, report.version, report.entry_point) == ("acme-faces-extra", "2.5", "main")
    assert (report.state, report.error) == ("ok", "")
    assert (report.components, report.pipelines) == (("calm",), ("preset",))
    assert 0 < report.seconds < 10
    assert [spec.name for spec in plugin.components] == ["calm"]
    assert Registry([plugin]).component("temporal", "calm").id == "acme-faces-extra/calm"


def test_it_is_found_where_it_is_installed(site: Site) -> None:
    site.add("acme")
    found = states(discover())
    assert found["acme:main"] == "ok"
    assert found["affectkit:standard"] == "ok"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        # Import.
        ("import acme_nowhere\n", "ModuleNotFoundError: No module named 'acme_nowhere'"),
        ("from affectkit.specs import Nope\n", None),
        ("def f(:\n", None),
        ("raise SystemExit(3)\n", "SystemExit: 3"),
        ("1 / 0\n", "ZeroDivisionError: division by zero"),
        ("raise ValueError('one\\n  two\\n')\n", "ValueError: one two"),
        # Hooks.
        ("", f"PluginError: 'bad_plugin' implements no hook; {HOOKS}"),
        (
            "@hookimpl\ndef affectkit_component():\n    yield SPEC\n",
            f"PluginError: implements 'affectkit_component', which is no hook; {HOOKS}",
        ),
        (
            "def affectkit_components():\n    yield SPEC\n",
            "PluginError: defines 'affectkit_components' without a mark; put @affectkit.hookimpl above it",
        ),
        (
            GOOD + "\ndef affectkit_pipelines():\n    return []\n",
            "PluginError: defines 'affectkit_pipelines' without a mark; put @affectkit.hookimpl above it",
        ),
        (
            "@hookimpl\ndef affectkit_components(registry, kind):\n    yield SPEC\n",
            "PluginError: affectkit_components takes 'registry', 'kind'; it is called without arguments",
        ),
        # Records.
        (
            "@hookimpl\ndef affectkit_components():\n    return SPEC\n",
            "PluginError: affectkit_components returned TemporalSpec TemporalSpec(name='calm', "
            "config=<class 'bad_plugin.CalmC...; yield one TemporalSpec(...) after another",
        ),
        (
            "@hookimpl\ndef affectkit_components():\n    specs = [SPEC]\n",
            "PluginError: affectkit_components returned None; yield one TemporalSpec(...) after another",
        ),
        (
            "@hookimpl\ndef affectkit_components():\n    return TemporalSpec\n",
            "PluginError: affectkit_components returned the class TemporalSpec; yield one TemporalSpec(...) after "
            "another",
        ),
        (
            "@hookimpl\ndef affectkit_pipelines():\n    return 3\n",
            "PluginError: affectkit_pipelines returned int 3; yield one PipelineSpec(...) after another",
        ),
        (
            "@hookimpl\ndef affectkit_components():\n    yield CalmConfig\n",
            "PluginError: affectkit_components yielded the class CalmConfig; yield TemporalSpec(...)",
        ),
        (
            "@hookimpl\ndef affectkit_components():\n    yield CalmConfig()\n",
            "PluginError: affectkit_components yielded CalmConfig CalmConfig(); yield TemporalSpec(...)",
        ),
        (
            "@hookimpl\ndef affectkit_components():\n    yield PipelineSpec(name='a', config=dict, summary='A.')\n",
            "PluginError: affectkit_components yielded PipelineSpec PipelineSpec(name='a', "
            "config=<class 'dict'>, summary='A....; yield TemporalSpec(...)",
        ),
        (
            "@hookimpl\ndef affectkit_components():\n    yield SPEC\n    raise KeyError('x')\n",
            "PluginError: affectkit_components raised after 1 record: KeyError: 'x'",
        ),
        (
            "@hookimpl\ndef affectkit_components():\n    yield SPEC\n    raise SystemExit('bye')\n",
            "PluginError: affectkit_components raised after 1 record: SystemExit: bye",
        ),
        (
            "@hookimpl\ndef affectkit_components():\n    for missing in 1 / 0,:\n        yield missing\n",
            "PluginError: affectkit_components raised after 0 records: ZeroDivisionError: division by zero",
        ),
        (
            "@hookimpl\ndef affectkit_components():\n    raise KeyError('x')\n",
            "PluginError: affectkit_components raised KeyError: 'x'",
        ),
        # Specs.
        (
            "SPEC = TemporalSpec(name='Calm', config=CalmConfig, factory=print, summary='Calm.')\n" + GOOD,
            "SpecError: temporal encoder 'Calm': 'Calm' is not a kebab-case name; use a-z, 0-9 and single hyphens",
        ),
        (
            "@hookimpl\ndef affectkit_components():\n    yield SPEC\n    yield SPEC\n",
            "SpecError: config CalmConfig of 'calm' is already 'bad/calm'; one config class is one component, "
            "derive a new one",
        ),
        (
            "@hookimpl\ndef affectkit_pipelines():\n"
            "    for _ in range(2):\n        yield PipelineSpec(name='a', config=dict, summary='A.')\n",
            "SpecError: pipeline 'a' is provided twice by bad; give one of them another name",
        ),
        # The registry.
        (
            "affectkit.default_registry()\n",
            "PluginError: registry: used while plugins are being imported; move the call into a function",
        ),
    ],
)
def test_a_broken_plugin_says_what_is_wrong_and_stops_no_other(body: str, error: str | None, site: Site) -> None:
    site.add("bad", body or "\n")
    site.add("aaa", module="aaa_plugin")
    site.add("zzz", module="zzz_plugin")
    text = error_of(site)
    if error is None:
        # These are Python's own, and name a file or a line.
        start, end = OPEN_ENDED[body]
        assert text.startswith(start)
        assert text.endswith(end)
    else:
        assert text == error
    with pytest.warns(PluginWarning):
        assert states(site.discover()) == {"aaa:main": "ok", "bad:main": "failed", "zzz:main": "ok"}


OPEN_ENDED = {
    "from affectkit.specs import Nope\n": ("ImportError: cannot import name 'Nope' from 'affectkit.specs' (", ")"),
    "def f(:\n": ("SyntaxError: invalid syntax (bad_plugin.py, line ", ")"),
}


def test_a_module_that_is_not_there(site: Site) -> None:
    site.add("bad", "", module="bad_nowhere")
    assert error_of(site) == "ModuleNotFoundError: No module named 'bad_nowhere'"


def test_an_attribute_that_is_not_there(site: Site) -> None:
    site.add("bad", entry_points="main = bad_plugin:plugin")
    assert error_of(site) == "AttributeError: module 'bad_plugin' has no attribute 'plugin'"


def test_an_object_may_be_the_plugin(site: Site) -> None:
    body = """
        class Plugin:
            @hookimpl
            def affectkit_components(self):
                return [SPEC]
        plugin = Plugin()
    """
    site.add("acme", body, entry_points="main = acme_plugin:plugin")
    assert [plugin.report.components for plugin in site.discover()] == [("calm",)]


def test_names_are_shared_between_plugins(site: Site) -> None:
    """Two distributions with the same entry point name, and the same component name, both load."""
    site.add("one")
    site.add("two")
    plugins = site.discover()
    assert states(plugins) == {"one:main": "ok", "two:main": "ok"}
    registry = Registry(plugins)
    assert [item.id for item in registry.components()] == ["one/calm", "two/calm"]
    assert registry.component("temporal", "two/calm").spec.config.__module__ == "two_plugin"


def test_one_module_for_two_distributions_is_loaded_once(site: Site) -> None:
    """Equal in name and value, they are still two; the second may not provide the same config."""
    site.add("one", module="shared_plugin")
    site.add("two", "", module="shared_plugin")
    assert error_of(site, "two") == (
        "SpecError: config CalmConfig of 'calm' is already 'one/calm'; one config class is one component, "
        "derive a new one"
    )


def test_a_config_class_of_another_distribution(site: Site) -> None:
    site.add("one")
    site.add(
        "two",
        """
        from one_plugin import CalmConfig
        SPEC = TemporalSpec(name="calmer", config=CalmConfig, factory=print, summary="Calmer.")
        @hookimpl
        def affectkit_components():
            yield SPEC
        """,
    )
    assert error_of(site, "two") == (
        "SpecError: config CalmConfig of 'calmer' is already 'one/calm'; one config class is one component, "
        "derive a new one"
    )


def test_an_entry_point_name_twice_in_one_distribution(site: Site) -> None:
    site.add("bad", entry_points="main = bad_plugin\nmain = bad_second")
    assert error_of(site) == "PluginError: entry point 'main' is declared twice, also as 'bad_plugin'"


def test_the_same_line_twice_is_one_entry_point(site: Site) -> None:
    site.add("acme", entry_points="main = acme_plugin\nmain = acme_plugin")
    assert [plugin.report.state for plugin in site.discover()] == ["ok"]


def test_two_entry_points_to_one_module(site: Site) -> None:
    site.add("bad", entry_points="first = bad_plugin\nsecond = bad_plugin")
    assert error_of(site) == (
        "SpecError: config CalmConfig of 'calm' is already 'bad/calm'; one config class is one component, "
        "derive a new one"
    )
    with pytest.warns(PluginWarning):
        assert states(site.discover()) == {"bad:first": "ok", "bad:second": "failed"}


def test_two_entry_points_of_one_distribution_may_not_share_a_name(site: Site) -> None:
    site.add("bad", entry_points="first = bad_plugin\nsecond = bad_second")
    (site.folder / "bad_second.py").write_text(PRELUDE + GOOD)
    site.modules.append("bad_second")
    assert error_of(site) == (
        "SpecError: temporal encoder 'calm' is provided twice by bad; give one of them another name"
    )


def test_an_id_stands_for_one_component_whatever_its_kind(site: Site) -> None:
    body = """
        from affectkit.configs import HeadConfig
        from affectkit.specs import HeadSpec
        @dataclass(frozen=True, kw_only=True)
        class CalmHeadConfig(HeadConfig):
            def output(self, stream):
                raise AssertionError
        @hookimpl
        def affectkit_components():
            yield SPEC
            yield HeadSpec(name="calm", config=CalmHeadConfig, factory=print, summary="Calm.")
    """
    site.add("bad", body)
    assert error_of(site) == (
        "SpecError: task head 'calm' is provided twice by bad, also as temporal encoder; give one of them another name"
    )


def test_a_failed_plugin_claims_nothing(site: Site) -> None:
    site.add("bad", "@hookimpl\ndef affectkit_components():\n    yield SPEC\n    yield 3\n")
    site.add(
        "good",
        """
        from bad_plugin import SPEC as THEIRS
        @hookimpl
        def affectkit_components():
            yield THEIRS
        """,
    )
    assert error_of(site) == "PluginError: affectkit_components yielded int 3; yield TemporalSpec(...)"


def test_another_api_is_not_loaded(site: Site) -> None:
    site.add("future", "raise AssertionError('imported')\n", group="affectkit.v2")
    site.add("acme")
    (acme, future) = site.discover()
    assert acme.report.state == "ok"
    assert (future.report.state, future.report.error) == (
        "other-api",
        "made for affectkit.v2, this is affectkit.v1",
    )
    assert "future_plugin" not in sys.modules
    assert message_of(LookupError, _lookup, (acme, future), "future/calm") == (
        "no temporal encoder 'future/calm'; future is made for affectkit.v2, this is affectkit.v1"
    )


def _lookup(plugins: tuple[Plugin, ...], name: str) -> None:
    try:
        Registry(plugins).component("temporal", name)
    except LookupError as error:
        raise LookupError(*error.args) from None


def test_other_groups_are_not_looked_at(site: Site) -> None:
    site.add("tool", "raise AssertionError('imported')\n", group="affectkit.vendor")
    assert "tool:main" not in states(discover())


def test_plugins_are_switched_off_by_name(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.add("Acme_Faces", "raise AssertionError('imported')\n")
    site.add("other")
    monkeypatch.setenv("AFFECTKIT_DISABLE_PLUGINS", " acme.faces ,, nothing")
    plugins = site.discover()
    assert states(plugins) == {"acme-faces:main": "disabled", "other:main": "ok"}
    assert message_of(LookupError, _lookup, plugins, "acme-faces/calm") == (
        "no temporal encoder 'acme-faces/calm'; acme-faces is switched off by AFFECTKIT_DISABLE_PLUGINS"
    )


def test_strict_loading_raises_at_the_first_failure(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.add("aaa")
    site.add("bad", "1 / 0\n")
    site.add("zzz", "raise AssertionError('imported')\n")
    monkeypatch.setenv("AFFECTKIT_STRICT_PLUGINS", "1")
    assert message_of(PluginError, site.discover) == (
        "bad: plugin 'main' failed (ZeroDivisionError: division by zero); mend it or unset AFFECTKIT_STRICT_PLUGINS"
    )
    assert not is_discovering()
    with pytest.raises(PluginError) as caught:
        site.discover()
    assert isinstance(caught.value.__cause__, ZeroDivisionError)  # with the traceback into the plugin
    monkeypatch.setenv("AFFECTKIT_DISABLE_PLUGINS", "bad,zzz")
    assert states(site.discover())["aaa:main"] == "ok"


def test_failures_are_named_where_they_may_explain(site: Site) -> None:
    site.add("bad", "1 / 0\n")
    with pytest.warns(PluginWarning):
        plugins = site.discover()
    assert message_of(LookupError, _lookup, plugins, "bad/calm") == (
        "no temporal encoder 'bad/calm'; there are no temporal encoders at hand; "
        "plugins that failed: bad (ZeroDivisionError: division by zero)"
    )


def test_the_order_is_not_that_of_the_file_system(site: Site) -> None:
    site.add("ccc", entry_points="zz = ccc_plugin\naa = ccc_second")
    (site.folder / "ccc_second.py").write_text(PRELUDE.replace('"calm"', '"calmer"') + GOOD)
    site.modules.append("ccc_second")
    site.add("aaa")
    site.add("Bbb")
    points = site.entry_points()
    wanted = ["aaa:main", "bbb:main", "ccc:aa", "ccc:zz"]
    assert list(states(discover(points))) == wanted
    assert list(states(discover(reversed(points)))) == wanted


def test_what_an_uninstall_left_behind_stops_nothing(site: Site) -> None:
    """Without METADATA importlib.metadata knows no name, and says so with whatever exception it likes."""
    site.add("ghost", "", module="ghost_nowhere")
    (site.folder / "ghost-1.0.dist-info" / "METADATA").unlink()
    site.add("acme")
    assert error_of(site, "unknown") == "ModuleNotFoundError: No module named 'ghost_nowhere'"


def test_an_entry_point_without_a_distribution(site: Site) -> None:
    site.add("acme")
    point = importlib.metadata.EntryPoint(name="main", value="acme_plugin", group="affectkit.v1")
    (plugin,) = discover([point])
    assert (plugin.report.provider, plugin.report.version, plugin.report.state) == ("unknown", "", "ok")


def test_the_process_may_still_be_interrupted(site: Site) -> None:
    site.add("bad", "raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        site.discover()
    assert not is_discovering()


@pytest.mark.parametrize(
    ("name", "normal"), [("Acme_Faces", "acme-faces"), (" acme..faces-_x ", "acme-faces-x"), ("acme", "acme")]
)
def test_normalize(name: str, normal: str) -> None:
    assert normalize(name) == normal


def test_a_whole_process_lives_with_a_broken_plugin(site: Site) -> None:
    """The default registry, which is made once per process, warns once and works."""
    site.add("bad", "raise SystemExit(1)\n")
    site.add("early", "affectkit.default_registry()\n")
    site.add("good")
    code = (
        "import affectkit\n"
        "registry = affectkit.default_registry()\n"
        "assert affectkit.default_registry() is registry\n"
        "print(registry.component('temporal', 'calm').id)\n"
        "print({r.provider: r.error for r in registry.reports if r.provider in ('bad', 'early')})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(site.folder), "PATH": ""},
    )
    assert done.stdout.splitlines() == [
        "good/calm",
        "{'bad': 'SystemExit: 1', 'early': 'PluginError: registry: used while plugins are being imported; "
        "move the call into a function'}",
    ]
    assert len(re.findall("PluginWarning: bad: plugin 'main' failed", done.stderr)) == 1
