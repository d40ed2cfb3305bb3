"""Every path of the selective scan against its slow twin in float64, with all gradients; bad input; exporters."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.autograd import forward_ad

from affectkit.errors import FallbackWarning, InputError, MissingDependencyError
from affectkit.ops import scan_checks, scan_mamba_ssm, scan_native, scan_op, scan_paths, scan_team, scan_tiles
from affectkit.ops.scan_inputs import ScanInputs
from affectkit.ops.scan_kernels import kernels
from affectkit.ops.scan_tiles import TiledScan
from affectkit.ops.scan_traced import scan_traced
from affectkit.ops.selective_scan import describe_scan, selective_scan
from affectkit.ops.selective_scan_ref import selective_scan_ref

NAMES = ("u", "delta", "A", "B", "C", "D", "z", "delta_bias")
PATHS = ("torch", "numba", "native")
# B, D, L, N, G: whole tiles, parts of tiles and chunks, groups, one state, one step
SHAPES = [
    (2, 40, 77, 16, 1), (1, 64, 64, 16, 1), (2, 64, 33, 3, 2), (1, 6, 70, 1, 1), (2, 24, 65, 8, 4), (1, 1, 1, 1, 1),
    (1, 17, 2, 33, 17), (1, 130, 9, 16, 1),
]  # fmt: skip
FORWARD, GRADIENTS = 1e-5, 1e-4


@pytest.fixture
def two_threads() -> Iterator[None]:
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


@pytest.fixture(params=PATHS)
def path(request: pytest.FixtureRequest) -> str:
    return usable(str(request.param))


def usable(path: str) -> str:
    if path == "numba":
        pytest.importorskip("numba")
    if path == "native" and (missing := scan_native.explain_absence()):
        pytest.skip(missing)
    return path


def compiler() -> tuple[str, ...]:
    found = scan_native.find_compiler()
    assert found is not None
    return found


def make(
    batch: int, channels: int, length: int, states: int, groups: int = 1, *, dtype: torch.dtype = torch.float32
) -> dict[str, Any]:
    """What a Mamba layer gives its scan, drawn at random; of eight tensors."""
    draw = functools.partial(torch.randn, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    of_states = (batch, groups, states, length) if groups > 1 else (batch, states, length)
    made = {
        "u": draw(batch, channels, length),
        "delta": draw(batch, channels, length) * 0.5,
        "A": -torch.arange(1.0, states + 1) * torch.exp(0.1 * draw(channels, states)),
        "B": draw(*of_states),
        "C": draw(*of_states),
        "D": draw(channels),
        "z": draw(batch, channels, length),
        "delta_bias": draw(channels) * 0.5 - 2,
    }
    return {name: one.to(dtype) for name, one in made.items()}


def as_double(inputs: dict[str, Any]) -> dict[str, Any]:
    return {name: one.double() for name, one in inputs.items()}


def with_gradients(scan: Callable[..., Any], inputs: dict[str, Tensor], **options: Any) -> dict[str, Tensor]:
    """Output, last state, and the gradients of a loss that weighs both."""
    leaves = {name: one.detach().clone().requires_grad_() for name, one in inputs.items()}
    y, last = scan(**leaves, return_last_state=True, **options)
    draw = functools.partial(torch.randn, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    loss = (y.double() * draw(y.shape)).sum() + (last.double() * draw(last.shape)).sum()
    gradients = torch.autograd.grad(loss, list(leaves.values()), materialize_grads=True)
    found = dict(zip((f"d {name}" for name in leaves), gradients, strict=True))
    return {"y": y.detach(), "last": last.detach(), **found}


def assert_close(found: dict[str, Tensor], exact: dict[str, Tensor]) -> None:
    """Errors relative to the largest value of each tensor, within the bounds that the documentation promises."""
    for name, value in exact.items():
        bound = GRADIENTS if name.startswith("d ") else FORWARD
        assert found[name].shape == value.shape, name
        assert found[name].isfinite().all(), name
        if value.numel():
            error = (found[name].double() - value.double()).abs().max()
            assert error <= bound * value.abs().max(), f"{name}: {float(error):g} of {float(value.abs().max()):g}"


def check(path: str, inputs: dict[str, Tensor], *, softplus: bool = True) -> None:
    exact = as_double(inputs)
    expected = with_gradients(selective_scan_ref, exact, delta_softplus=softplus)
    assert_close(with_gradients(selective_scan, inputs, delta_softplus=softplus, path=path), expected)


@pytest.mark.parametrize("shape", SHAPES)
def test_values_and_gradients_are_those_of_the_slow_twin(path: str, shape: tuple[int, ...]) -> None:
    check(path, make(*shape))


@pytest.mark.parametrize("absent", [("D",), ("z",), ("delta_bias",), ("D", "z", "delta_bias")])
def test_what_may_be_left_out_may_be(path: str, absent: tuple[str, ...]) -> None:
    inputs = {name: one for name, one in make(2, 20, 37, 4, 2).items() if name not in absent}
    inputs["delta"] = inputs["delta"].abs()
    check(path, inputs, softplus="delta_bias" not in absent)


def scaled(name: str, factor: float = 1.0, offset: float = 0.0) -> dict[str, Any]:
    inputs = make(2, 20, 70, 5)
    return inputs | {name: inputs[name] * factor + offset}


@pytest.mark.parametrize(
    "inputs",
    [
        scaled("delta_bias", offset=50.0),
        scaled("delta_bias", offset=-14.0),
        scaled("A", 100.0),
        scaled("A", 1e30),
        scaled("A", -0.02),
        scaled("z", 100.0),
        scaled("z", 1e30),
    ],
    ids=["large steps", "tiny steps", "fast decay", "overflowing decay", "growing states", "hard gates", "huge gates"],
)
def test_extreme_values(path: str, inputs: dict[str, Tensor]) -> None:
    check(path, inputs)


@pytest.mark.parametrize("shape", [(2, 5, 0, 3), (0, 5, 7, 3), (0, 4, 0, 2, 2)])
def test_nothing_gives_nothing(path: str, shape: tuple[int, ...]) -> None:
    check(path, make(*shape))
    assert not with_gradients(selective_scan, make(*shape), path=path)["last"].any()


def test_a_hundred_thousand_steps(path: str) -> None:
    inputs = make(1, 3, 100_000, 4)
    exact = selective_scan(**as_double(inputs), delta_softplus=True, path="torch")
    found = selective_scan(**inputs, delta_softplus=True, path=path)
    assert isinstance(exact, Tensor)
    assert isinstance(found, Tensor)
    assert_close({"y": found}, {"y": exact})


def test_float64_has_its_precision_and_exact_gradients() -> None:
    inputs = make(2, 4, 9, 3, 2, dtype=torch.float64)
    exact = with_gradients(selective_scan_ref, inputs, delta_softplus=True)
    for name, found in with_gradients(selective_scan, inputs, delta_softplus=True).items():
        torch.testing.assert_close(found, exact[name], rtol=1e-11, atol=1e-13)
    leaves = [one.requires_grad_() for one in inputs.values()]
    both: Any = functools.partial(selective_scan, delta_softplus=True, return_last_state=True)
    assert torch.autograd.gradcheck(both, leaves)


def test_what_is_traced_computes_the_same() -> None:
    def traced(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, *rest: Any, **named: Any) -> Any:
        named.pop("return_last_state")
        return scan_traced(ScanInputs(u, delta, A, B, C, **named, softplus=True))

    for shape in [(2, 6, 1, 3, 2), (1, 4, 37, 5, 2)]:
        inputs = make(*shape)
        exact = as_double(inputs)
        assert_close(with_gradients(traced, inputs), with_gradients(selective_scan_ref, exact, delta_softplus=True))


def test_what_is_traced_overflows_where_the_state_does_and_no_earlier() -> None:
    ones, growth = torch.ones(1, 1, 5), torch.full((1, 1), 50.0)
    # exp(50) has a square that is infinite in float32
    b = ones[:, None]
    traced, _ = scan_traced(ScanInputs(ones, ones, growth, b, b, None, None, None, softplus=False))
    exact = selective_scan_ref(ones, ones, growth, ones, ones)
    assert isinstance(exact, Tensor)
    torch.testing.assert_close(traced, exact)
    assert exact[0, 0].isfinite().tolist() == [True, True, False, False, False]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_goes_in_and_out_and_nowhere_else(path: str, dtype: torch.dtype) -> None:
    half = make(2, 20, 300, 4, dtype=dtype)
    found = with_gradients(selective_scan, half, delta_softplus=True, path=path)
    exact = with_gradients(selective_scan_ref, as_double(half), delta_softplus=True)
    assert found["last"].dtype == torch.float32
    assert_close({"last": found["last"]}, {"last": exact["last"]})
    for name, value in found.items():
        if name != "last":
            assert value.dtype == dtype
            # the rounding of the result alone
            assert (value - exact[name]).abs().max() <= torch.finfo(dtype).eps * exact[name].abs().max()


def test_views_and_expanded_tensors_are_read_right(path: str) -> None:
    inputs = make(2, 20, 37, 4)
    odd: dict[str, Any] = {name: torch.stack([one, one], dim=-1)[..., 0] for name, one in inputs.items()}
    odd["u"] = inputs["u"].transpose(1, 2).contiguous().transpose(1, 2)
    odd["B"], odd["D"] = inputs["B"][:1].expand(2, -1, -1), inputs["D"][:1].expand(20)
    assert not any(one.is_contiguous() for one in odd.values())
    expected = selective_scan_ref(**as_double(odd), delta_softplus=True)
    found = selective_scan(**odd, delta_softplus=True, path=path)
    assert isinstance(expected, Tensor)
    assert isinstance(found, Tensor)
    assert_close({"y": found}, {"y": expected})


def test_B_and_C_may_have_groups_of_their_own(path: str) -> None:
    inputs = make(2, 12, 9, 4, 2)
    inputs["C"] = make(2, 12, 9, 4, 3)["C"]
    check(path, inputs)


def test_two_threads_compute_the_same(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # so small a scan would be left to one of them
    monkeypatch.setattr(scan_tiles, "LEAST", 0)
    torch.set_num_threads(2)
    try:
        check(path, make(1, 200, 37, 16))
        check(path, make(3, 8, 37, 2, 2))
    finally:
        torch.set_num_threads(1)


def test_threads_of_python_stand_in_for_a_team(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_team, "find_team", lambda: None)
    test_two_threads_compute_the_same(path, monkeypatch)


def test_more_threads_than_tiles_compute_the_same(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_tiles, "LEAST", 0)
    torch.set_num_threads(5)
    try:
        check(path, make(1, 40, 37, 16))
        check(path, make(1, 3, 5, 2))
    finally:
        torch.set_num_threads(1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_process_scans_too() -> None:
    usable("numba")
    # in an interpreter of its own: here, forking would copy whatever other tests have started
    code = """
import os, torch
from affectkit.ops import scan_tiles
from affectkit.ops.selective_scan import selective_scan
scan_tiles.LEAST = 0
torch.set_num_threads(2)
u, delta = torch.rand(2, 1, 200, 9)
b, c = torch.rand(2, 1, 4, 9)
before = selective_scan(u, delta, -torch.rand(200, 4), b, c, path="numba").shape
if (child := os.fork()) == 0:
    os._exit(0 if selective_scan(u, delta, -torch.rand(200, 4), b, c, path="numba").shape == before else 1)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", code], timeout=120).returncode == 0


@pytest.mark.skipif("OpenMP" not in torch.__config__.parallel_info(), reason="torch was built without OpenMP")
@pytest.mark.skipif(platform.system() != "Linux", reason="elsewhere the library may not offer it")
def test_the_team_is_torchs() -> None:
    assert scan_team.find_team() is not None


def test_inputs_stay_as_they_are(path: str) -> None:
    inputs = make(1, 20, 37, 4)
    before = {name: one.clone() for name, one in inputs.items()}
    with_gradients(selective_scan, inputs, path=path)
    assert all(torch.equal(one, before[name]) for name, one in inputs.items())


def test_what_a_backward_pass_needs_is_small(path: str) -> None:
    inputs = ScanInputs(**make(8, 192, 784, 16) | {"B": torch.zeros(8, 1, 16, 784)}, softplus=True)
    kept = torch.Size(kernels(path).checkpoint_shape(inputs.sizes)).numel()
    # states at every step would be 16 times u
    assert kept <= (5 if path == "torch" else 0.6) * inputs.u.numel()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_named(path: str, name: str, value: float) -> None:
    inputs = make(2, 6, 5, 3)
    inputs[name].view(-1)[-1] = value
    place = [size - 1 for size in inputs[name].shape]
    with pytest.raises(InputError) as caught:
        selective_scan(**inputs, delta_softplus=True, path=path)
    assert str(caught.value) == (
        f"{name}: {value} at {place}, and 1 such values in all; "
        "a scan carries them into every later step, so find where they come from"
    )


@pytest.mark.parametrize("place", [(0, 0, 0), (0, 99, 149), (1, 50, 7), (1, 99, 149)])
def test_every_part_of_the_work_is_looked_at(path: str, place: tuple[int, ...], two_threads: None) -> None:
    # in a gate, which no state carries on: one value of all that come out
    inputs = make(2, 100, 150, 16)
    assert scan_tiles.LEAST < 2 * 100 * 150 * 16
    inputs["z"][place] = torch.nan
    with pytest.raises(InputError) as caught:
        selective_scan(**inputs, delta_softplus=True, path=path)
    assert str(caught.value).startswith(f"z: nan at {list(place)}, and 1 such values in all; ")


def test_a_sum_that_overflows_is_no_fault(path: str) -> None:
    inputs = make(2, 6, 5, 3) | {"u": torch.full((2, 6, 5), 2e38), "D": torch.ones(6)}
    del inputs["z"], inputs["delta_bias"]
    for name in ("delta", "B"):
        inputs[name].zero_()
    found = selective_scan(**inputs, path=path)
    assert isinstance(found, Tensor)
    assert torch.equal(found, inputs["u"])


def test_strict_looks_at_inputs_that_do_no_harm() -> None:
    inputs = make(1, 2, 3, 1)
    inputs["A"][1] = -torch.inf
    found = selective_scan(**inputs, delta_softplus=True)
    assert isinstance(found, Tensor)
    assert found.isfinite().all()
    with pytest.raises(InputError) as caught:
        selective_scan(**inputs, delta_softplus=True, strict=True)
    assert str(caught.value) == (
        "A: -inf at [1, 0], and 1 such values in all; "
        "a scan carries them into every later step, so find where they come from"
    )


@pytest.mark.parametrize("half", [False, True])
def test_mamba_ssm_names_them_too(fresh: Path, half: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    # a stand-in on the CPU, as below
    install(fresh, STAND_IN, monkeypatch)
    monkeypatch.setattr("affectkit.ops.selective_scan.choose_path", lambda *asked: "mamba-ssm")
    inputs = {name: one.half() if half else one for name, one in make(2, 6, 5, 3).items()}
    found = selective_scan(**inputs, delta_softplus=True)
    assert isinstance(found, Tensor)
    assert found.isfinite().all()
    inputs["delta"][1, 2, 3] = torch.nan
    with pytest.raises(InputError) as caught:
        selective_scan(**inputs, delta_softplus=True)
    assert str(caught.value) == (
        "delta: nan at [1, 2, 3], and 1 such values in all; "
        "a scan carries them into every later step, so find where they come from"
    )
    # a sum that is too large for half precision is no fault
    large = {name: one.half() for name, one in make(2, 6, 5, 3).items()} | {"u": torch.full((2, 6, 5), 3e4).half()}
    monkeypatch.setattr(scan_checks, "check_finite", lambda tensors: pytest.fail("searched"))
    monkeypatch.setattr("affectkit.ops.selective_scan.scan_mamba_ssm", lambda inputs: (large["u"], large["A"]))
    assert selective_scan(**large) is large["u"]


def test_on_cuda_the_host_looks_unless_a_graph_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    class There:
        def __init__(self, kind: str) -> None:
            self.device = torch.device(kind)

    def looks() -> list[bool]:
        return [scan_checks.can_look(There(kind)) for kind in ("cpu", "cuda", "mps", "meta")]  # type: ignore[arg-type]

    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: False)
    assert looks() == [True, True, True, False]
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: True)
    assert looks() == [True, False, True, False]
    # what is not looked at comes out
    monkeypatch.setattr(scan_checks, "can_look", lambda out: False)
    inputs = make(2, 6, 5, 3)
    inputs["u"][0, 0, 0] = torch.nan
    # the one path that computes there too
    found = selective_scan(**inputs, delta_softplus=True, path="torch")
    assert isinstance(found, Tensor)
    assert found[0, 0].isnan().all()


def test_an_output_that_overflows_from_finite_inputs_is_returned(path: str) -> None:
    inputs = make(1, 2, 40, 1) | {"A": torch.full((2, 1), 100.0)}
    found = selective_scan(**inputs, delta_softplus=True, path=path)
    assert isinstance(found, Tensor)
    assert not found.isfinite().all()


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("u", (4, 5), "u: 2 axes, (4, 5); give (B, D, L)"),
        ("A", (4,), "A: 1 axes, (4,); give (D, N)"),
        ("B", (4, 5), "B: 2 axes, (4, 5); give (B, N, L) or (B, G, N, L)"),
        ("D", (4, 1), "D: 2 axes, (4, 1); give (D,)"),
        ("u", (2, 0, 5), "u: D is 0 in (2, 0, 5); give 1 or more"),
        ("A", (4, 0), "A: N is 0 in (4, 0); give 1 or more"),
        ("delta", (2, 4, 6), "delta: axis 2 (L) has 6 entries in (2, 4, 6), but L of u is 5; give (B, D, L)"),
        ("z", (1, 4, 5), "z: axis 0 (B) has 1 entries in (1, 4, 5), but B of u is 2; give (B, D, L)"),
        ("A", (5, 3), "A: axis 0 (D) has 5 entries in (5, 3), but D of u is 4; give (D, N)"),
        ("B", (2, 2, 5), "B: axis 1 (N) has 2 entries in (2, 2, 5), but N of A is 3; give (B, N, L)"),
        ("C", (2, 2, 3, 4), "C: axis 3 (L) has 4 entries in (2, 2, 3, 4), but L of u is 5; give (B, G, N, L)"),
        (
            "C",
            (2, 3, 3, 5),
            "C: axis 1 has 3 groups, which do not divide the 4 channels of u; give a number of groups that does",
        ),
        (
            "B",
            (2, 0, 3, 5),
            "B: axis 1 has 0 groups, which do not divide the 4 channels of u; give a number of groups that does",
        ),
        ("delta_bias", (5,), "delta_bias: axis 0 (D) has 5 entries in (5,), but D of u is 4; give (D,)"),
    ],
)
def test_wrong_shapes_are_refused(name: str, shape: tuple[int, ...], message: str) -> None:
    for form in (selective_scan, selective_scan_ref):
        with pytest.raises(InputError) as caught:
            form(**make(2, 4, 5, 3) | {name: torch.zeros(shape)})
        assert str(caught.value) == message


def test_wrong_types_and_places_are_refused() -> None:
    inputs = make(2, 4, 5, 3)
    with pytest.raises(InputError) as caught:
        selective_scan(**inputs | {"A": torch.zeros(4, 3, dtype=torch.complex64)})
    assert str(caught.value) == "A: complex64 can't be scanned; give one of float32, float64, bfloat16, float16"
    with pytest.raises(InputError) as caught:
        selective_scan(**{**make(1, 2, 3, 1), "B": np.zeros((1, 1, 3), np.float32)})
    assert str(caught.value) == "B: ndarray; give a tensor, as torch.as_tensor makes"
    with pytest.raises(InputError) as caught:
        selective_scan(**inputs | {"C": inputs["C"].to("meta")})
    assert str(caught.value) == "C: is on meta, but u is on cpu; move one of them"


def test_the_gradient_has_no_gradient(path: str) -> None:
    leaves = {name: one.requires_grad_() for name, one in make(1, 2, 3, 1).items()}
    found = selective_scan(**leaves, path=path)
    assert isinstance(found, Tensor)
    (gradient,) = torch.autograd.grad(found.sum(), leaves["u"], create_graph=True)
    with pytest.raises(InputError) as caught:
        torch.autograd.grad(gradient.sum(), leaves["delta"])
    assert str(caught.value) == (
        "selective_scan: its gradient has none of its own; "
        "call selective_scan_ref for second derivatives, which is slow"
    )


@pytest.mark.parametrize(("flag", "width"), [("-mno-avx512f", 8), ("-mno-avx", 4)])
def test_narrower_vectors_compute_the_same(
    flag: str, width: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usable("native")
    if platform.machine() != "x86_64":
        pytest.skip("flags of x86")
    monkeypatch.setattr(scan_native, "FLAGS", (*scan_native.FLAGS, flag))
    narrow = scan_native.NativeTiles(scan_native._build(compiler(), tmp_path / "kernels", "narrow"))
    assert narrow.width <= width
    monkeypatch.setattr("affectkit.ops.scan_op.kernels", lambda path: TiledScan(narrow))
    for shape in SHAPES:
        check("native", make(*shape))
    check("native", scaled("A", 1e30))
    inputs = make(2, 6, 5, 3)
    inputs["A"][5, 2] = torch.nan
    with pytest.raises(InputError, match=r"^A: nan at \[5, 2\]"):
        selective_scan(**inputs, path="native")


# which path


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Nothing is built or known yet; the folder in which it will be built."""
    caches = (scan_native._load, scan_paths._try_numba, scan_mamba_ssm._try)
    monkeypatch.setenv("AFFECTKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("AFFECTKIT_SCAN", raising=False)
    monkeypatch.delenv("CXX", raising=False)
    for one in caches:
        one.cache_clear()
    yield tmp_path
    for one in caches:
        one.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "mamba_ssm"]:
        del sys.modules[name]


def choose(asked: str | None = None, device: str = "cpu", dtype: str = "float32", **options: Any) -> str:
    return str(
        scan_paths.choose_path(asked, device, dtype, options.get("states", 16), options.get("only_torch", False))
    )


def test_the_compiler_builds_once_and_says_so(fresh: Path, caplog: pytest.LogCaptureFixture) -> None:
    usable("native")
    scan_native._load.cache_clear()
    for path in (fresh / "cache").rglob("*.so"):
        path.unlink()
    assert describe_scan().startswith("native: C++, to be built at the first scan by /")
    with caplog.at_level("INFO", logger="affectkit.ops.scan_native"):
        assert choose() == "native"
    (made,) = (fresh / "cache" / "kernels").iterdir()
    assert caplog.messages == [f"building the selective scan's kernel, once, into {made.parent}"]
    assert describe_scan().startswith("native: C++, built by /")
    scan_native._load.cache_clear()
    caplog.clear()
    assert choose() == "native"
    assert caplog.messages == []
    assert list((fresh / "cache" / "kernels").iterdir()) == [made]


@pytest.mark.parametrize("spoil", [lambda whole: whole[:5000], lambda whole: b"", lambda whole: whole[::-1]])
def test_a_library_that_is_cut_short_is_built_anew(fresh: Path, spoil: Callable[[bytes], bytes]) -> None:
    usable("native")
    (made,) = (fresh / "cache" / "kernels").iterdir()
    whole = made.read_bytes()
    # this process still runs the other file
    made.unlink()
    made.write_bytes(spoil(whole))
    made.chmod(0o700)
    scan_native._load.cache_clear()
    assert describe_scan().startswith("native: C++, to be built at the first scan by /")
    assert choose() == "native"
    assert describe_scan().startswith("native: C++, built by /")
    # whole by its name, and yet no library
    digest = hashlib.sha256(b"").hexdigest()
    for path in made.parent.iterdir():
        path.unlink()
    empty = made.with_name(f"{made.stem.rpartition('-')[0]}-{digest}.so")
    empty.touch(0o700)
    scan_native._load.cache_clear()
    assert describe_scan().startswith("native: C++, to be built at the first scan by /")
    assert choose() == "native"


def test_what_others_could_have_written_is_not_loaded(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usable("native")
    folder = fresh / "cache" / "kernels"
    (made,) = folder.iterdir()
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, made)] == [0o700, 0o700]
    monkeypatch.setattr(scan_paths, "find_spec", lambda name: None)
    no_numba = "numba is not installed (pip install 'affectkit[fast]')"

    def refused(reason: str) -> None:
        scan_native._load.cache_clear()
        said = f"torch: the built kernel can't be kept or loaded ({reason}), and {no_numba}"
        assert describe_scan() == said
        assert choose() == "torch"
        assert describe_scan() == said

    for path in (folder, made):
        for mode in (0o720, 0o702):
            path.chmod(mode)
            refused(f"{path}: others may write to it; run chmod go-w on it")
        path.chmod(0o700)
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    refused(f"{folder}: user {owner} owns it; name another folder by AFFECTKIT_CACHE")


def test_without_a_home_it_is_torch(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if scan_native.find_compiler() is None:
        pytest.skip("no C++ compiler")
    monkeypatch.delenv("AFFECTKIT_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(scan_paths, "find_spec", lambda name: None)

    def fail() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", fail)
    assert choose() == "torch"
    assert describe_scan() == (
        "torch: the built kernel can't be kept or loaded (Could not determine home directory.), "
        "and numba is not installed (pip install 'affectkit[fast]')"
    )


def test_a_numba_that_fails_leaves_it_to_torch(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usable("numba")
    monkeypatch.setenv("CXX", "no-such-compiler")

    def fail(name: str) -> None:
        raise RuntimeError(f"cannot cache function in {name}: no locator available")

    monkeypatch.setattr(scan_paths, "import_module", fail)
    assert choose() == "torch"
    assert describe_scan() == (
        "torch: no C++ compiler (CXX=no-such-compiler) is found, and numba is installed, but fails "
        "(RuntimeError: cannot cache function in affectkit.ops.scan_numba: no locator available)"
    )


def test_the_compiler_may_have_arguments(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usable("native")
    path, *_ = compiler()
    monkeypatch.setenv("CXX", f"'{path}' -DNOTHING='1 2'")
    assert compiler() == (path, "-DNOTHING=1 2")
    scan_native._load.cache_clear()
    assert choose() == "native"
    assert describe_scan() == f"native: C++, built by {path} '-DNOTHING=1 2'"


def test_a_compiler_that_fails_leaves_it_to_numba(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usable("numba")
    broken = fresh / "broken++"
    broken.write_text("#!/bin/sh\necho 'no room' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CXX", str(broken))
    assert choose() == "numba"
    assert describe_scan() == f"numba: {broken} can't build it (no room)"
    # a process that has not tried it says what comes then
    scan_native._load.cache_clear()
    untried = f"native: C++, to be built at the first scan by {broken}; where that fails,"
    assert describe_scan() == f"{untried} numba"
    with monkeypatch.context() as without:
        without.setattr(scan_paths, "_try_numba", lambda: "numba is not installed")
        assert describe_scan() == f"{untried} torch"
    with pytest.raises(MissingDependencyError) as caught:
        selective_scan(**make(1, 2, 3, 1), path="native")
    assert str(caught.value) == (
        f"path: 'native' can't be used: {broken} can't build it (no room); give path='torch', or none"
    )


def test_a_compiler_that_is_no_command_leaves_it_to_numba(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usable("numba")
    monkeypatch.setenv("CXX", "'c++")
    assert choose() == "numba"
    assert describe_scan() == f"numba: CXX={chr(34)}'c++{chr(34)} is no command (No closing quotation)"


def test_a_cache_that_is_no_folder_leaves_it_to_numba(fresh: Path) -> None:
    usable("numba")
    (fresh / "cache").write_text("")
    assert choose() == "numba"
    assert describe_scan().startswith("numba: the built kernel can't be kept or loaded (")


def test_without_a_compiler_and_numba_it_is_torch(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setattr(scan_paths, "find_spec", lambda name: None)
    assert choose() == "torch"
    assert describe_scan() == (
        "torch: no C++ compiler (CXX=no-such-compiler) is found, "
        "and numba is not installed (pip install 'affectkit[fast]')"
    )
    monkeypatch.setenv("AFFECTKIT_SCAN", "numba")
    with pytest.raises(MissingDependencyError) as caught:
        describe_scan()
    assert str(caught.value) == (
        "AFFECTKIT_SCAN: 'numba' can't be used: numba is not installed (pip install 'affectkit[fast]'); "
        "name another, or unset it"
    )


def test_a_variable_names_the_path(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFFECTKIT_SCAN", "torch")
    assert choose() == "torch"
    assert describe_scan() == "torch: AFFECTKIT_SCAN names it"
    monkeypatch.setenv("AFFECTKIT_SCAN", "nmba")
    with pytest.raises(InputError) as caught:
        choose()
    assert str(caught.value) == (
        "AFFECTKIT_SCAN: no path is called 'nmba'; did you mean 'numba'? paths: 'native', 'numba', 'torch'"
    )


def test_paths_that_do_not_compute_this_are_refused() -> None:
    inputs = make(1, 2, 3, 1, dtype=torch.float64)
    assert isinstance(selective_scan(**inputs), Tensor)
    with pytest.raises(InputError) as caught:
        selective_scan(**inputs, path="numba")
    assert str(caught.value) == (
        "path: 'numba' computes on cpu in float32, not on cpu in float64; give path='torch', or none"
    )
    with pytest.raises(InputError) as caught:
        selective_scan(**make(1, 2, 3, 1), path="cuda")
    assert str(caught.value) == "path: no path is called 'cuda'; paths: 'mamba-ssm', 'native', 'numba', 'torch'"


STAND_IN = """
from affectkit.ops.selective_scan_ref import selective_scan_ref


def selective_scan_fn(
    u, delta, A, B, C, D=None, z=None, delta_bias=None, delta_softplus=False, return_last_state=False
):
    return selective_scan_ref(u, delta, A, B, C, D, z, delta_bias, delta_softplus, return_last_state)
"""


def install(folder: Path, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    package = folder / "mamba_ssm" / "ops"
    package.mkdir(parents=True)
    for part in (package.parent, package):
        (part / "__init__.py").touch()
    (package / "selective_scan_interface.py").write_text(source)
    monkeypatch.syspath_prepend(str(folder))
    for name in ("mamba_ssm", "mamba_ssm.ops", "mamba_ssm.ops.selective_scan_interface"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def test_mamba_ssm_gets_what_its_function_takes(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # a stand-in on the CPU: its kernels themselves need a GPU
    install(fresh, STAND_IN, monkeypatch)
    assert scan_mamba_ssm.explain_absence(torch.device("cpu")) == ""
    inputs = make(2, 4, 5, 3)
    groups = {name: one[:, None] if name in ("B", "C") else one for name, one in inputs.items()}
    found = scan_mamba_ssm.scan_mamba_ssm(ScanInputs(**groups, softplus=True))
    expected = selective_scan_ref(**inputs, delta_softplus=True, return_last_state=True)
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


def test_on_cuda_it_is_mamba_ssm_where_that_computes_this(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_mamba_ssm, "explain_absence", lambda device: "")
    assert choose(device="cuda:0") == choose("mamba-ssm", device="cuda:0") == "mamba-ssm"
    assert choose(device="cuda:0", dtype="float64") == choose(device="cuda:0", states=257) == "torch"
    assert choose(device="cuda:0", only_torch=True) == "torch"
    for options, fact in (
        ({"states": 257}, "has room for 256 states, not 257"),
        ({"only_torch": True}, "scans no empty input, and its last state has no gradient"),
    ):
        with pytest.raises(InputError) as refused:
            choose("mamba-ssm", device="cuda:0", **options)
        assert str(refused.value) == f"path: 'mamba-ssm' {fact}; give path='torch', or none"
    monkeypatch.setattr(scan_mamba_ssm, "explain_absence", lambda device: "mamba-ssm is not installed")
    assert choose(device="cuda:0") == "torch"
    with pytest.raises(MissingDependencyError) as caught:
        choose("mamba-ssm", device="cuda:0")
    assert str(caught.value) == (
        "path: 'mamba-ssm' can't be used: mamba-ssm is not installed; give path='torch', or none"
    )


def test_a_machine_with_a_gpu_says_both(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFFECTKIT_SCAN", "torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    assert describe_scan() == "on CUDA torch: mamba-ssm is not installed; on the CPU torch: AFFECTKIT_SCAN names it"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise ImportError('no selective_scan_cuda')", "ImportError: no selective_scan_cuda"),
        (
            STAND_IN.replace("return selective_scan_ref(u", "return 2 * selective_scan_ref(u"),
            "RuntimeError: 1 + exp(-1) came out as 2.736",
        ),
    ],
)
def test_a_broken_mamba_ssm_costs_one_warning(
    fresh: Path, source: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(fresh, source, monkeypatch)
    said = f"mamba-ssm is installed, but fails ({reason})"
    with pytest.warns(FallbackWarning) as caught:
        assert scan_mamba_ssm.explain_absence(torch.device("cpu")) == said
    assert [str(one.message) for one in caught] == [f"selective_scan: {said}; the torch path is used"]
    assert scan_mamba_ssm.explain_absence(torch.device("cpu")) == said


# compilers and exporters


def test_the_operation_keeps_the_rules_of_torch(path: str) -> None:
    inputs = [one.requires_grad_() for one in make(2, 6, 5, 3, 2).values()]
    torch.library.opcheck(
        torch.ops.affectkit.selective_scan.default,
        (*inputs, True, True, path),
        test_utils=("test_schema", "test_autograd_registration", "test_faketensor", "test_aot_dispatch_static"),
    )


def test_tensors_without_values_get_shapes(path: str) -> None:
    inputs = make(2, 6, 5, 3)
    kernels(path)
    given: dict[str, Tensor]
    for mode in (FakeTensorMode(), FakeTensorMode(allow_non_fake_inputs=True)):
        given = inputs if mode.allow_non_fake_inputs else {name: mode.from_tensor(one) for name, one in inputs.items()}
        with mode:
            found = with_gradients(selective_scan, given, path=path)
        assert all(isinstance(one, FakeTensor) for one in found.values())
        assert found["y"].shape == found["d u"].shape == (2, 6, 5)
        assert found["last"].shape == (2, 6, 3)


def test_nothing_is_kept_for_a_backward_pass_that_never_comes(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = {name: one.requires_grad_() for name, one in make(2, 6, 5, 3).items()}
    kept: list[bool] = []

    def watched(*arguments: Any) -> Any:
        kept.append(arguments[-2])
        return forward(*arguments)

    forward = scan_op._forward
    monkeypatch.setattr(scan_op, "_forward", watched)
    selective_scan(**inputs, path=path)
    with torch.no_grad():
        selective_scan(**inputs, path=path)
    assert kept == [True, False]


def test_torch_compile_takes_it_as_one_operation(path: str) -> None:
    inputs = make(2, 6, 5, 3)
    torch.compiler.reset()
    compiled = torch.compile(functools.partial(selective_scan, path=path), backend="aot_eager", fullgraph=True)
    expected = with_gradients(selective_scan, inputs, delta_softplus=True, path=path)
    for name, found in with_gradients(compiled, inputs, delta_softplus=True).items():
        assert torch.equal(found, expected[name]), name


def test_torch_compile_chooses_the_path_itself() -> None:
    inputs = make(2, 6, 5, 3)
    torch.compiler.reset()
    scan: Any = selective_scan
    compiled: Any = torch.compile(scan, backend="aot_eager", fullgraph=True)
    assert torch.equal(compiled(**inputs, delta_softplus=True), scan(**inputs, delta_softplus=True))


class Layer(torch.nn.Module):
    def forward(self, *inputs: Tensor) -> Any:
        scan: Any = selective_scan
        return scan(*inputs, delta_softplus=True, return_last_state=True)


def test_torch_export_gets_operations_of_torch_only() -> None:
    inputs = make(2, 6, 37, 3)
    exported = torch.export.export(Layer(), tuple(inputs.values()))
    used = {str(node.target) for node in exported.graph.nodes if node.op == "call_function"}
    assert used
    assert all(name.startswith("aten.") or "getitem" in name for name in used), used
    expected = selective_scan_ref(**inputs, delta_softplus=True, return_last_state=True)
    for found, exact in zip(exported.module()(*inputs.values()), expected, strict=True):
        torch.testing.assert_close(found, exact, rtol=1e-5, atol=1e-5)


# what torch says of itself while it exports
@pytest.mark.filterwarnings("ignore:.*LeafSpec.* is deprecated:FutureWarning")
def test_a_file_from_torch_onnx_runs() -> None:
    pytest.importorskip("onnxscript", reason="needs the extra export")
    onnxruntime = pytest.importorskip("onnxruntime")
    inputs = make(2, 6, 37, 3)
    program = torch.onnx.export(
        Layer().eval(), tuple(inputs.values()), dynamo=True, verbose=False, input_names=list(inputs)
    )
    assert program is not None
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString())
    # other values than it was recorded with too
    for given in (inputs, {name: 0.7 * one for name, one in inputs.items()}):
        found = session.run(None, {name: one.numpy() for name, one in given.items()})
        expected = selective_scan_ref(**given, delta_softplus=True, return_last_state=True)
        for one, exact in zip(found, expected, strict=True):
            torch.testing.assert_close(torch.from_numpy(one), exact, rtol=1e-5, atol=1e-5)


# what torch loads for forward derivatives
@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
def test_derivatives_that_it_lacks_are_refused_without_gradients_too(path: str) -> None:
    """Not computed as if nothing was asked: without gradients a scan goes by no operation of autograd's."""
    inputs = make(1, 3, 5, 2)
    with torch.no_grad(), forward_ad.dual_level():
        moved = forward_ad.make_dual(inputs["u"], torch.ones_like(inputs["u"]))  # type: ignore[no-untyped-call]
        with pytest.raises(NotImplementedError, match="forward mode AD"):
            selective_scan(**{**inputs, "u": moved}, path=path)
    many = torch.stack([inputs["u"], inputs["u"]])
    with torch.no_grad(), pytest.raises(RuntimeError, match="vmap"):
        torch.func.vmap(lambda u: selective_scan(**{**inputs, "u": u}, path=path))(many)


def test_importing_the_package_of_operations_costs_nothing() -> None:
    code = "import sys, affectkit.ops; print(sorted({'torch', 'numba', 'numpy', 'ctypes'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    code = "import sys, affectkit.ops.selective_scan; print(sorted({'numba', 'mamba_ssm'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
