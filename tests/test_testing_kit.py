"""The conformance kit is tested by planted faults: each check has components that must fail it, and nothing else."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import affectkit.testing
from affectkit import FeatureStream, FrameStream, Requirement, Sequence, lazy
from affectkit.configs import ComponentConfig
from affectkit.errors import ConfigError, RegistryError, WeightsError, compose
from affectkit.specs import KIND_NAMES, ComponentSpec
from affectkit.testing import CheckFailed, CheckResult, check_names, parametrize_with_checks, run_checks
from affectkit.testing.checks import Check
from affectkit.testing.plugin_checks import CHECKS as PLUGIN_CHECKS
from affectkit.testing.results import CheckSkipped
from affectkit.testing.runner import CHECKS, bound_checks
from affectkit.testing.spec_checks import documented_fields
from affectkit.testing.subjects import apart
from tests.conftest import ROOT
from tests.faulty.base import Fault
from tests.faulty.catalog import FAULTS, check_fault, check_plugin, failed
from tests.faulty.clean import CLASSES, CLEAN, PlainFeatures, PlainHead, PlainTemporal, PlainTemporalConfig, spec
from tests.faulty.distributions import HOOKS, PLUGINS, install
from tests.faulty.specs import PickyConfig

pytest_plugins = ["pytester"]

BY_NAME: dict[str, Check] = {check.name: check for check in (*CHECKS, *PLUGIN_CHECKS)}

UNCLAIMED = {
    "not claimed: can_stream is False",
    "not claimed: nothing to train",
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.check}-{fault.name}")
def test_a_planted_fault_fails_its_check_and_no_other(fault: Fault) -> None:
    results = check_fault(fault)
    assert failed(results) == [fault.check], [str(result) for result in results if result.status == "failed"]
    at = [result.check for result in results].index(fault.check)
    cause = f"usual cause: {fault.cause or BY_NAME[fault.check].cause}"
    assert results[at].message == compose(f"it: {fault.check}", fault.fact, cause)
    assert all(result.status == "skipped" for result in results[at + 1 :])
    assert {result.message for result in results[at + 1 :]} <= {f"it: {fault.check} failed before"}


@pytest.mark.parametrize("clean", CLEAN, ids=lambda clean: clean.name)
def test_a_correct_component_passes(clean: ComponentSpec[Any]) -> None:
    results = run_checks(specs=[clean])
    assert not [str(result) for result in results if result.status == "failed"]
    assert {result.message for result in results if result.status == "skipped"} <= UNCLAIMED
    assert [result.check for result in results if result.status == "passed"]


@pytest.mark.parametrize("name", PLUGINS)
def test_a_faulty_plugin_fails_its_check_and_no_other(name: str, tmp_path: Path) -> None:
    check, fact, _ = PLUGINS[name]
    results = check_plugin(name, tmp_path)
    assert [result.component for result in results] == ["plugin"] * len(PLUGIN_CHECKS)
    assert failed(results) == [check], [str(result) for result in results]
    (failure,) = (result for result in results if result.status == "failed")
    assert failure.message == compose(f"plugin: {check}", fact, f"usual cause: {BY_NAME[check].cause}")


def test_every_check_has_a_planted_fault() -> None:
    assert {fault.check for fault in FAULTS} | {check for check, _, _ in PLUGINS.values()} == set(check_names())


def test_every_kind_has_checks_from_fundamental_to_fine() -> None:
    for kind in KIND_NAMES:
        names = check_names(kind)
        assert names[0] == "summary_is_one_line"
        built = "component_builds" if kind in ("faces", "spotter", "dataset") else "module_builds"
        assert names.index("factory_resolves") < names.index(built) < len(names) - 1


def test_a_disabled_plugin_is_not_ok(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "switched-off", HOOKS, monkeypatch)
    monkeypatch.setenv("AFFECTKIT_DISABLE_PLUGINS", "switched-off")
    failure = next(result for result in run_checks("switched-off") if result.status == "failed")
    fact = "entry point 'main' is disabled (listed in AFFECTKIT_DISABLE_PLUGINS)"
    cause = f"usual cause: {BY_NAME['plugin_is_ok'].cause}"
    assert failure.message == compose("plugin: plugin_is_ok", fact, cause)


def test_another_plugin_that_fails_is_not_this_ones_business(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "broken-neighbor", "raise ValueError('broken')", monkeypatch)
    install(tmp_path, "sound", HOOKS, monkeypatch)
    assert failed(run_checks("sound")) == []


def test_an_interpreter_that_dies_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = HOOKS + "import os, sys\nif 'affectkit.testing.runner' not in sys.modules: os._exit(7)\n"
    install(tmp_path, "dies", text, monkeypatch)
    failure = next(result for result in run_checks("dies") if result.status == "failed")
    cause = f"usual cause: {BY_NAME['import_needs_no_torch'].cause}"
    fact = "a fresh interpreter ended with 7 ()"
    assert failure.message == compose("plugin: import_needs_no_torch", fact, cause)


def test_what_torch_was_set_to_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    from affectkit.testing.import_probe import changes

    filters: list[object] = list(warnings.filters)
    assert changes(dict(os.environ), filters) == []
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
    try:
        found = changes({**os.environ, "GONE": "1"}, filters)
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_grad_enabled(True)
    assert found == ["os.environ['GONE']", "torch's default dtype", "torch's grad mode"]


def test_the_first_failure_skips_the_rest_unless_it_was_expected() -> None:
    broken = spec("temporal", PlainTemporal, summary="Two words. ")
    first, second = bound_checks(specs=[broken])[:2]
    with pytest.raises(CheckFailed):
        first()
    with pytest.raises(CheckSkipped) as skipped:
        second()
    assert str(skipped.value) == "it: summary_is_one_line failed before"
    expected = {("it", "summary_is_one_line"): "the space is part of the brand"}
    first, second = bound_checks(specs=[broken], expected_failed_checks=expected)[:2]
    with pytest.raises(CheckFailed):
        first()
    second()


def test_a_failed_check_fails_again_when_it_is_run_again() -> None:
    first = bound_checks(specs=[spec("temporal", PlainTemporal, summary="Two words. ")])[0]
    for _ in range(2):
        with pytest.raises(CheckFailed):
            first()


def test_each_check_runs_alone() -> None:
    for clean in CLEAN[-4:]:
        for name in [check.check.name for check in bound_checks(specs=[clean])]:
            alone = next(check for check in bound_checks(specs=[clean]) if check.check.name == name)
            skipped = ""
            try:
                alone()
            except CheckSkipped as skip:
                skipped = str(skip)
            assert not skipped or skipped in UNCLAIMED


def test_checks_leave_random_numbers_and_modules_alone() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    run_checks(specs=[spec("temporal", PlainTemporal)])
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.is_grad_enabled()
    assert torch.get_default_dtype() == torch.float32


def test_checks_run_on_one_thread_and_give_the_others_back() -> None:
    seen: list[int] = []

    class Watching(PlainTemporal):
        def forward(self, inputs: Sequence) -> Sequence:
            seen.append(torch.get_num_threads())
            return super().forward(inputs)

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        run_checks(specs=[spec("temporal", Watching)])
        assert set(seen) == {1}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_hidden_package_is_back_afterwards() -> None:
    import colorsys

    needs = spec("temporal", PlainTemporal, requires=(Requirement(module="colorsys", install="pip install colors"),))
    assert failed(run_checks(specs=[needs])) == []
    assert sys.modules["colorsys"] is colorsys


def test_what_cannot_be_built_here_is_skipped_with_the_install() -> None:
    needs = spec("temporal", PlainTemporal, requires=(Requirement(module="nowhere", install="pip install nowhere"),))
    results = run_checks(specs=[needs])
    assert failed(results) == []
    skipped = {result.check: result.message for result in results if result.status == "skipped"}
    needed = "can't be built here: local/it: needs 'nowhere', which is not installed; run pip install nowhere"
    assert skipped["module_builds"] == needed
    assert set(skipped.values()) == {needed}
    assert "missing_dependency_is_explained" not in skipped


def test_an_optional_package_at_the_top_of_the_modules_file_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "needs_nowhere.py").write_text("import nowhere\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    needs = Requirement(module="nowhere", install="pip install nowhere")
    results = run_checks(specs=[spec("temporal", lazy("needs_nowhere:It"), requires=(needs,))])
    assert failed(results) == []


def test_a_detector_whose_weights_are_not_here_is_skipped() -> None:
    def build(config: ComponentConfig) -> Any:
        raise WeightsError("weights: not on this machine; fetch them")

    results = run_checks(specs=[spec("faces", build)])
    assert failed(results) == []
    skipped = {result.message for result in results if result.status == "skipped"}
    assert skipped == {"can't be built here: weights: not on this machine; fetch them"}


class Unloaded(PlainFeatures):
    def forward(self, inputs: Sequence) -> Sequence:
        raise WeightsError("it: no weights are loaded; load them")


def test_a_module_that_does_nothing_without_weights_is_skipped() -> None:
    results = run_checks(specs=[spec("features", Unloaded)])
    assert failed(results) == []
    skipped = {result.check: result.message for result in results if result.status == "skipped"}
    assert skipped["output_has_the_declared_shape"] == "can't be run here: it: no weights are loaded; load them"
    built = next(result for result in results if result.check == "module_builds")
    assert built.status == "passed"


class FixedHead(PlainHead):
    """Hands its features on."""

    def __init__(self, config: Any, stream: FeatureStream) -> None:
        super().__init__(config, FeatureStream(dim=1))
        del self.linear

    def forward(self, inputs: Sequence) -> torch.Tensor:
        return torch.where(inputs.mask.unsqueeze(-1), inputs.values[..., : len(CLASSES)], 0.0)


def test_a_head_without_parameters_passes() -> None:
    results = run_checks(specs=[spec("head", FixedHead)])
    assert not [str(result) for result in results if result.status == "failed"]
    (check,) = (result for result in results if result.check == "loss_without_labels_is_zero")
    assert check.status == "passed"


def test_variants_of_one_component_are_checked_side_by_side() -> None:
    plain = spec("temporal", PlainTemporal)
    frozen = dataclasses.replace(plain, name="frozen", example=PlainTemporalConfig(frozen=True))
    results = run_checks(specs=[plain, frozen])
    assert failed(results) == []
    assert {result.component for result in results} == {"it", "frozen"}
    checked = [result.component for result in results if result.check == "frozen_stays_frozen"]
    assert checked == ["frozen"]


def test_a_stream_can_be_passed_for_what_no_candidate_suits() -> None:
    picky = spec("features", PlainFeatures, config=PickyConfig)
    stream = FrameStream(channels=("heat",), height=16, width=16, steps=("before", "after"))
    results = run_checks(specs=[picky], streams={"it": stream})
    assert failed(results) == []
    skips = {result.message for result in results if result.status == "skipped"}
    assert "not claimed: its steps are fixed" in skips


def error_of(function: Callable[[], object], kind: type[Exception]) -> str:
    with pytest.raises(kind) as caught:
        function()
    return str(caught.value)


def test_what_to_check_is_given_once() -> None:
    advice = "give the name of a plugin, or specs=[...]"
    assert error_of(run_checks, ConfigError) == f"neither of distribution and specs; {advice}"
    assert (
        error_of(lambda: run_checks("affectkit", specs=[]), ConfigError) == f"both of distribution and specs; {advice}"
    )


def test_names_of_components_and_checks_are_checked() -> None:
    one = [spec("temporal", PlainTemporal)]
    message = error_of(lambda: run_checks(specs=one, streams={"its": None}), ConfigError)
    assert message == "streams: no component 'its'; did you mean 'it'? components: 'it'"
    expected = {("it", "sumary_is_one_line"): "why"}
    message = error_of(lambda: bound_checks(specs=one, expected_failed_checks=expected), ConfigError)
    known = ", ".join(repr(f"it, {name}") for name in check_names("temporal")[:6])
    assert message.startswith(
        "expected_failed_checks: no check 'it, sumary_is_one_line'; did you mean 'it, summary_is_one_line'? "
        f"checks: {known}"
    )
    assert re.search(r" and \d+ more$", message)


def test_a_plugin_that_is_not_there_is_named() -> None:
    message = error_of(lambda: run_checks("affectkit-nowhere"), RegistryError)
    assert message == "no plugin 'affectkit-nowhere'; run pip install affectkit-nowhere"
    message = error_of(lambda: run_checks("pluggy"), RegistryError)
    assert message == "'pluggy' is installed and is no plugin; declare an entry point of the group 'affectkit.v1'"


def test_results_say_what_they_are() -> None:
    passed, *_ = run_checks(specs=[spec("temporal", PlainTemporal)])
    assert str(passed) == "it: summary_is_one_line: passed"
    assert passed.seconds > 0
    assert str(CheckResult(component="it", check="a", status="failed", message="it: a: no")) == "it: a: no"


def test_the_decorator_gives_one_test_per_check(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from affectkit.testing import parametrize_with_checks
        from tests.faulty.clean import PlainFeatures, PlainTemporal, spec

        @parametrize_with_checks(
            specs=[
                spec("temporal", PlainTemporal, name="loose", summary="One. "),
                spec("features", PlainFeatures, name="known", summary="One. "),
                spec("features", PlainFeatures, name="clean"),
            ],
            expected_failed_checks={("known", "summary_is_one_line"): "kept for the record"},
        )
        def test_conformance(check):
            check()
        """
    )
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-rsx", "-v")
    count = len(bound_checks(specs=[spec("features", PlainFeatures)]))
    others = len(bound_checks(specs=[spec("temporal", PlainTemporal)])) - 1
    result.assert_outcomes(failed=1, skipped=others, xfailed=1, passed=2 * count - 1)
    result.stdout.fnmatch_lines_random(
        [
            "*::test_conformance?loose-summary_is_one_line? FAILED*",
            "*::test_conformance?clean-padding_is_invisible? PASSED*",
            "*SKIPPED*loose: summary_is_one_line failed before",
            "XFAIL*known-summary_is_one_line* - kept for the record",
            "E*CheckFailed: loose: summary_is_one_line: the summary is 'One. '; usual cause: *",
        ]
    )


def test_an_expected_failure_that_passes_is_an_error() -> None:
    one = [spec("temporal", PlainTemporal)]
    mark = parametrize_with_checks(specs=one, expected_failed_checks={("it", "dials_turn"): "slow"}).mark
    (marks,) = (parameter.marks for parameter in mark.args[1] if parameter.id == "it-dials_turn")
    assert [(m.name, m.kwargs) for m in marks] == [("xfail", {"reason": "slow", "strict": True})]


def test_importing_the_kit_is_light() -> None:
    code = "import sys, affectkit.testing; print(*({'torch', 'pytest', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []
    assert sorted(affectkit.testing.__all__) == dir(affectkit.testing)
    with pytest.raises(AttributeError) as caught:
        _ = affectkit.testing.check_everything
    assert str(caught.value) == "module 'affectkit.testing' has no attribute 'check_everything'"


def test_running_checks_needs_no_pytest() -> None:
    sources = (ROOT / "affectkit" / "testing").glob("*.py")
    assert [path.name for path in sources if "import pytest" in path.read_text(encoding="utf-8")] == ["parametrize.py"]


def test_fields_are_found_in_any_layout() -> None:
    class Indented:
        """One.

        Attributes:
            a: first.
            b, c: two
                and more: text.
            d (int): fourth.

        Raises:
            e: none.
        """

    class AtTheTop:
        """Attributes:
        a: first.
        """

    class Silent:
        pass

    assert documented_fields(Indented) == ["a", "b", "c", "d"]
    assert documented_fields(AtTheTop) == ["a"]
    assert documented_fields(Silent) == []


def test_the_page_lists_every_check() -> None:
    page = (ROOT / "docs" / "how-to" / "test-a-plugin.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(\w+)` \|", page.partition("## What is checked")[2], re.MULTILINE)
    assert sorted(listed) == sorted(check_names())


def test_rounding_is_no_difference() -> None:
    one = torch.tensor([1.0, 100.0])
    assert apart(one, one + 1e-3) == 0
    assert apart(one, one + 1.0) == pytest.approx(1.0)
    assert apart(torch.tensor([float("nan")]), torch.tensor([float("nan")])) == 0
    assert apart(torch.tensor([float("nan")]), torch.tensor([1.0])) == float("inf")
    assert apart(one, one[:1]) == float("inf")
