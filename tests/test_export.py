"""Pipelines as ONNX files: equal to PyTorch, described, refused by the stage's name, and safe to load."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from affectkit.analysis import analyze
from affectkit.artifact import save
from affectkit.configs import FeaturesConfig, Frames
from affectkit.ensemble import EnsembleConfig
from affectkit.ensemble_model import Ensemble
from affectkit.errors import AffectkitError, ConfigError, InputError, MissingDependencyError
from affectkit.export import comparing, graph, int8 as int8_module, onnx_export
from affectkit.export.describing import described
from affectkit.export.engines import has_openvino_bfloat16, start_engine
from affectkit.export.int8 import Int8
from affectkit.export.onnx_export import export_onnx
from affectkit.export.onnx_file import FACTS_KEY, FORMAT_KEY, HASH_KEY, read_onnx, signed
from affectkit.export.onnx_model import OnnxModel, load_onnx
from affectkit.faces.onnx_message import bytes_field
from affectkit.faces.whole_frame import WholeFrameConfig
from affectkit.features.conv_stem import ConvStemConfig
from affectkit.features.sparse_vssd import SparseVSSDConfig
from affectkit.fusion.affine import AffineFusionConfig
from affectkit.fusion.concat import ConcatFusionConfig
from affectkit.heads.action_units import ActionUnitsConfig
from affectkit.heads.expression import ExpressionConfig
from affectkit.heads.valence_arousal import ValenceArousalConfig
from affectkit.interfaces import FeatureExtractor
from affectkit.late.mean import MeanFusionConfig
from affectkit.maps.smooth import SmoothConfig
from affectkit.model import Model
from affectkit.motion.flow_magnifier import FlowMagnifierConfig
from affectkit.motion.head_compensation import HeadCompensationConfig
from affectkit.motion.rest_difference import RestDifferenceConfig
from affectkit.pipeline import Branch, PipelineConfig
from affectkit.records import Face
from affectkit.registry import Registry, default_registry
from affectkit.resolving import resolve_model
from affectkit.sequences import Sequence, Targets
from affectkit.specs import FeaturesSpec
from affectkit.streams import FeatureStream, FrameStream
from affectkit.temporal.gru import GRUConfig
from affectkit.temporal.sparse_mamba import SparseMambaConfig
from affectkit.temporal.transformer import TransformerConfig
from affectkit.variants import mirrored
from affectkit.video.alignment import TEMPLATES
from tests.cli_runs import run, run_json
from tests.clips import write_levels

pytest.importorskip("onnx", reason="needs the extra export")
pytest.importorskip("onnxscript", reason="needs the extra export")

SIDE = 24
# What to do in place of what a graph can't.
HINTS = {
    "save": "copy that file, or make it a member that an OnnxConfig names",
    "export": "take the pipeline that it was made of",
}


def faces(**changes: Any) -> PipelineConfig:
    """Frame by frame, with no temporal encoder."""
    given: dict[str, Any] = {
        "input": FrameStream(height=SIDE, width=SIDE),
        "branches": {"face": Branch(features=ConvStemConfig(dim=8))},
        "heads": {"expr": ExpressionConfig(), "va": ValenceArousalConfig()},
        "sampling": Frames(),
        "faces": WholeFrameConfig(),
    }
    return PipelineConfig(**{**given, **changes})


def stored(**changes: Any) -> PipelineConfig:
    given: dict[str, Any] = {
        "input": FeatureStream(dim=6),
        "branches": {"x": Branch()},
        "heads": {"au": ActionUnitsConfig(resolution="clip")},
    }
    return PipelineConfig(**{**given, **changes})


def build(config: Any, registry: Registry | None = None) -> Model:
    torch.manual_seed(0)
    model: Model = config.build(registry=registry)
    return model


def clip(clips: int = 2, steps: int = 3, *, padded: int = 0) -> Sequence:
    values = torch.rand(clips, steps, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(3))
    mask = torch.ones(clips, steps, dtype=torch.bool)
    mask[0, steps - padded :] = False
    return Sequence.of(values, mask=mask)


def message(call: Any) -> str:
    with pytest.raises(AffectkitError) as caught:
        call()
    return str(caught.value)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of `faces()`, made once: it takes seconds."""
    path = tmp_path_factory.mktemp("export") / "faces.onnx"
    model = build(faces())
    model.provenance = ({"name": "toy", "sha256": "0" * 64, "license": "MIT", "training_data_terms": "synthetic"},)
    export_onnx(model, path, check_on=[{"clip": clip(2, 2)}])
    return path


# What is written.


def test_a_file_says_what_it_is(exported: Path) -> None:
    _, facts = read_onnx(exported)
    assert facts.takes == ["inputs.clip", "mask"]
    assert facts.inputs["clip"]["channels"] == ["r", "g", "b"]
    assert (facts.inputs["clip"]["height"], facts.inputs["clip"]["unit"], facts.inputs["clip"]["alignment"]) == (
        SIDE, "intensity", "none",
    )  # fmt: skip
    assert facts.outputs["va"]["targets"] == ["valence", "arousal"]
    assert facts.outputs["expr"]["problem"] == "multiclass"
    assert (facts.steps, facts.numbers, facts.gate) == (None, "float32", {})
    assert facts.provenance[0]["license"] == "MIT"
    assert facts.requires[0]["distribution"] == "affectkit"
    assert facts.versions["torch"] == torch.__version__
    assert set(facts.differences) == {"random", "real"}
    assert max(facts.differences.values()) <= comparing.TOLERANCE
    assert [path.name for path in exported.parent.iterdir()] == [exported.name]


def test_onnx_tools_read_it_too(exported: Path) -> None:
    import onnx

    model = onnx.load(str(exported))
    onnx.checker.check_model(model)
    properties = {entry.key: entry.value for entry in model.metadata_props}
    assert sorted(properties) == [FACTS_KEY, FORMAT_KEY, HASH_KEY]
    assert json.loads(properties[FACTS_KEY])["outputs"]["va"]["bounds"] == [-1.0, 1.0]
    sizes = [
        [size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim] for value in model.graph.input
    ]
    assert sizes == [["clips", "steps", 3, SIDE, SIDE], ["clips", "steps"]]


# What runs again.


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
@pytest.mark.parametrize(("clips", "steps", "padded"), [(1, 1, 0), (2, 5, 2), (7, 3, 1)])
def test_what_is_loaded_scores_as_pytorch_does(
    exported: Path, engine: str, clips: int, steps: int, padded: int
) -> None:
    if engine == "openvino":
        pytest.importorskip("openvino", reason="needs the extra openvino")
    model, again = build(faces()), load_onnx(exported, engine=engine)
    batch = clip(clips, steps, padded=padded)
    found, expected = again.predict(batch), model.predict(batch)
    assert list(found) == list(expected)
    for name, values in expected.items():
        torch.testing.assert_close(found[name], values, atol=1e-5, rtol=0)
    with torch.no_grad():
        torch.testing.assert_close(again(batch)["expr"], model.eval()(batch)["expr"], atol=1e-5, rtol=0)
    assert again.config == model.config
    assert again.provenance[0]["name"] == "toy"


@pytest.mark.parametrize(
    "config",
    [
        stored(temporal=TransformerConfig(dim=8, heads=2)),
        EnsembleConfig(members={"a": stored(), "b": stored()}, fusion=MeanFusionConfig()),
        stored(
            inputs={"a": FeatureStream(dim=4), "b": FeatureStream(dim=3)}, input=None,
            branches={"a": Branch(source="a"), "b": Branch(source="b")}, fusion=AffineFusionConfig(dim=5),
        ),
    ],
    ids=["transformer", "ensemble", "two inputs"],
)  # fmt: skip
def test_pipelines_of_several_kinds(config: Any, tmp_path: Path) -> None:
    model = build(config)
    facts = export_onnx(model, tmp_path / "m.onnx")
    assert facts.differences["random"] <= comparing.TOLERANCE
    streams = model.config.input_streams()
    batch = {name: Sequence.of(torch.randn(3, 4, stream.dim)) for name, stream in streams.items()}  # type: ignore[union-attr]
    # one clock
    batch = {name: sequence._replace(times=batch[next(iter(batch))].times) for name, sequence in batch.items()}
    found = load_onnx(tmp_path / "m.onnx").predict(batch)["au"]
    torch.testing.assert_close(found, model.predict(batch)["au"], atol=1e-5, rtol=0)


def test_a_fixed_number_of_steps_is_padded_to(tmp_path: Path) -> None:
    model = build(stored(temporal=GRUConfig(dim=5), heads={"va": ValenceArousalConfig()}))
    path = tmp_path / "gru.onnx"
    assert message(lambda: export_onnx(model, path)) == (
        "export: temporal goes through the steps one by one, so a graph has to have a number of them; "
        "give steps=N (--steps N), to which shorter clips are padded"
    )
    assert not list(tmp_path.iterdir())
    real = torch.randn(2, 4, 6)
    facts = export_onnx(model, path, steps=6, check_on=[real])
    assert facts.steps == 6
    assert 0 < facts.differences["real"] <= comparing.TOLERANCE
    assert message(lambda: export_onnx(model, path, steps=3, check_on=[real], overwrite=True)) == (
        "batch: 4 steps, and the file takes up to 3; export it again with more (--steps), or give shorter clips"
    )
    again = load_onnx(path)
    for steps in (1, 4, 6):
        batch = torch.randn(2, steps, 6)
        assert again.predict(batch)["va"].shape == (2, steps, 2)
        torch.testing.assert_close(again.predict(batch)["va"], model.predict(batch)["va"], atol=1e-5, rtol=0)
    assert message(lambda: again.predict(torch.randn(1, 7, 6))) == (
        "batch: 7 steps, and the file takes up to 6; export it again with more (--steps), or give shorter clips"
    )


# Sparse Mamba and sparse VSSD: what is chosen by values, in as many places as there are for any values.


def engines() -> list[str]:
    return ["onnxruntime", *(["openvino"] if importlib.util.find_spec("openvino") is not None else [])]


def with_gaps(shape: tuple[int, ...]) -> Sequence:
    """Clips of which one is whole and one nothing but padding, and others have gaps; NaN where nothing is real."""
    generator = torch.Generator().manual_seed(2)
    values = torch.randn(shape, generator=generator)
    mask = torch.rand(shape[:2], generator=generator) > 0.4
    mask[0], mask[1] = True, False
    return Sequence.of(values.masked_fill(~mask[(...,) + (None,) * (len(shape) - 2)], float("nan")), mask=mask)


def check_engines(model: Model, path: Path, batch: Sequence) -> None:
    expected = model.predict(batch)["va"]
    assert float(expected.std()) > 0, "an output that is always the same would prove nothing"
    for engine in engines():
        torch.testing.assert_close(load_onnx(path, engine=engine).predict(batch)["va"], expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("ratios", [(0.0, 0.0), (0.5, 0.25)], ids=["dense", "sparse"])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["causal", "both ways"])
def test_sparse_mamba(tmp_path: Path, ratios: tuple[float, ...], *, bidirectional: bool) -> None:
    window = SparseMambaConfig.window if bidirectional else 3
    temporal = SparseMambaConfig(ratios=ratios, bidirectional=bidirectional, state=4, window=window)
    model = build(stored(temporal=temporal, heads={"va": ValenceArousalConfig()}))
    # a change as large as what is changed, so that it matters which steps are kept
    for layer in ("temporal.layers.0", "temporal.layers.1"):
        model.get_parameter(f"{layer}.mixer.leave.weight").data.mul_(50.0)
    path = tmp_path / "m.onnx"
    assert message(lambda: export_onnx(model, path)) == (
        "export: temporal goes through the steps one by one, so a graph has to have a number of them; "
        "give steps=N (--steps N), to which shorter clips are padded"
    )
    export_onnx(model, path, steps=6)
    check_engines(model, path, with_gaps((5, 6, 6)))
    check_engines(model, path, with_gaps((3, 4, 6)))


MAGNIFIERS = (FlowMagnifierConfig(width=4), FlowMagnifierConfig(width=4, region=(0.0, 0.0, 0.5, 1.0), magnitude=True))

ONE_STAGE: dict[str, Any] = {"dims": (8,), "depths": (1,), "heads": (1,)}
TWO_STAGES: dict[str, Any] = {"dims": (8, 8), "depths": (1, 1), "heads": (1, 1), "attention": True}


@pytest.mark.parametrize(
    ("given", "motion"),
    [
        ({"ratios": ()}, MAGNIFIERS[:1]),
        ({"ratios": (), "mixer": "ss2d"}, ()),
        ({"ratios": (0.5,)}, ()),
        ({"ratios": (0.5,), "sparse_form": "mask"}, ()),
        ({"ratios": (0.5,), "mixer": "ss2d"}, ()),
        ({"ratios": (0.5,), **TWO_STAGES, "norm": "batch", "last_norm": True, "cells": 2}, MAGNIFIERS[1:]),
    ],
    ids=["dense, magnified", "dense ss2d", "sparse", "mask form", "sparse ss2d", "sparse and attention, magnified"],
)
def test_sparse_vssd(given: dict[str, Any], motion: tuple[FlowMagnifierConfig, ...], tmp_path: Path) -> None:
    # windows of 4 do not fill 10 pixels
    features = SparseVSSDConfig(**{"size": "pico", "state": 4, **ONE_STAGE, **given})
    flow = FrameStream(channels=("u", "v"), unit="pixel", height=10, width=10)
    branch = Branch(motion=motion, features=features)
    model = build(PipelineConfig(input=flow, branches={"f": branch}, heads={"va": ValenceArousalConfig()}))
    export_onnx(model, tmp_path / "m.onnx")
    check_engines(model, tmp_path / "m.onnx", with_gaps((4, 3, 2, 10, 10)))


INPUTS_OF_ATTENTION = {"query": 5, "key": 7, "value": 7}


# what torch says of itself while it exports
@pytest.mark.filterwarnings("ignore:.*LeafSpec.* is deprecated:FutureWarning")
@pytest.mark.parametrize("dim", [1, -1])
@pytest.mark.parametrize("descending", [False, True])
def test_of_equal_values_the_first_comes_first(dim: int, *, descending: bool) -> None:
    from affectkit.export.operators import TRANSLATIONS

    class Order(torch.nn.Module):
        def forward(self, values: Tensor) -> Tensor:
            return values.argsort(dim=dim, descending=descending, stable=True).float()

    values = torch.randint(3, (2, 40, 5), generator=torch.Generator().manual_seed(0)).float()
    values[0, 0, 0] = -torch.inf
    program = torch.onnx.export(
        Order().eval(), (values,), dynamo=True, verbose=False, opset_version=graph.OPSET,
        custom_translation_table=TRANSLATIONS, input_names=["values"], output_names=["order"],
    )  # fmt: skip
    assert program is not None
    for engine in engines():
        found = start_engine(program.model_proto.SerializeToString(), engine).run({"values": values.numpy()})["order"]
        assert torch.equal(torch.from_numpy(found), Order()(values)), engine


# what torch says of itself while it exports
@pytest.mark.filterwarnings("ignore:.*LeafSpec.* is deprecated:FutureWarning")
@pytest.mark.parametrize(
    ("options", "operators"),
    [
        ({}, ["MatMul", "MatMul", "Mul", "Softmax", "Transpose"]),
        ({"scale": 0.25}, ["MatMul", "MatMul", "Mul", "Softmax", "Transpose"]),
        # as torch.onnx has it
        ({"is_causal": True}, None),
        ({"attn_mask": torch.arange(35).reshape(5, 7) % 7 < 4}, None),
        ({"attn_mask": torch.linspace(-2, 2, 35).reshape(5, 7)}, None),
    ],
)
def test_attention(options: dict[str, Any], operators: list[str] | None) -> None:
    from affectkit.export.operators import TRANSLATIONS

    class Attention(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("mask", options.get("attn_mask"))

        def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
            given = {**options, "attn_mask": self.mask}
            return torch.nn.functional.scaled_dot_product_attention(query, key, value, **given)

    generator = torch.Generator().manual_seed(0)
    given = {name: torch.randn(2, 3, steps, 8, generator=generator) for name, steps in INPUTS_OF_ATTENTION.items()}
    program = torch.onnx.export(
        Attention().eval(), tuple(given.values()), dynamo=True, verbose=False, opset_version=graph.OPSET,
        custom_translation_table=TRANSLATIONS, input_names=list(given), output_names=["out"],
    )  # fmt: skip
    assert program is not None
    if operators is not None:
        assert (
            sorted(node.op_type for node in program.model_proto.graph.node if node.op_type != "Constant") == operators
        )
    for engine in engines():
        feeds = {name: one.numpy() for name, one in given.items()}
        found = start_engine(program.model_proto.SerializeToString(), engine).run(feeds)["out"]
        torch.testing.assert_close(torch.from_numpy(found), Attention()(**given), atol=1e-5, rtol=1e-5)


def test_a_video_gives_the_same_table(exported: Path, tmp_path: Path) -> None:
    video = write_levels(tmp_path / "clip.mp4", [20, 90, 160, 230], [0.0, 0.04, 0.08, 0.12])
    model = build(faces())
    expected = analyze(video, model)
    for pipeline in (exported, load_onnx(exported)):
        with pytest.warns(UserWarning, match="trained on synthetic faces"):
            found = analyze(video, pipeline)
        for row, other in zip(found, expected, strict=True):
            assert row.pts == other.pts
            assert row.predictions == pytest.approx(other.predictions, abs=1e-5)
        assert found.info is not None
        assert expected.info is not None
        assert found.info.pipeline_hash == expected.info.pipeline_hash
        assert str(found.info.options["engine"]).startswith("onnxruntime ")


# What is refused.


@dataclass(frozen=True, kw_only=True)
class PickyConfig(FeaturesConfig):
    """Bright frames get other features than dark ones: what no graph can hold."""

    def output(self, stream: FrameStream) -> FeatureStream:
        return FeatureStream(dim=1)


class Picky(FeatureExtractor[PickyConfig]):
    def __init__(self, config: PickyConfig, stream: FrameStream) -> None:
        super().__init__(config)

    def forward(self, inputs: Sequence) -> Sequence:
        level = inputs.values.mean(dim=(2, 3, 4)).unsqueeze(-1)
        return inputs.with_values(level if bool(level.mean() > 0.5) else -level)


def test_a_stage_that_decides_by_values_is_named(tmp_path: Path) -> None:
    spec = FeaturesSpec(name="picky", config=PickyConfig, factory=Picky, summary="Looks.")
    names = default_registry().with_components(spec, provider="toys")
    model = build(faces(branches={"face": Branch(features=PickyConfig())}), names)
    assert message(lambda: export_onnx(model, tmp_path / "m.onnx")) == (
        "export: branches.face.features decides by values what it computes (GuardOnDataDependentSymNode), which a "
        "graph can't; run it with PyTorch, or export a pipeline that begins behind it, on stored features"
    )
    assert not list(tmp_path.iterdir())


def test_a_number_of_steps_is_not_blamed_where_it_is_given(tmp_path: Path) -> None:
    spec = FeaturesSpec(name="picky", config=PickyConfig, factory=Picky, summary="Looks.")
    names = default_registry().with_components(spec, provider="toys")
    model = build(faces(branches={"face": Branch(features=PickyConfig())}), names)
    assert message(lambda: export_onnx(model, tmp_path / "m.onnx", steps=4)) == (
        "export: branches.face.features decides by values what it computes (GuardOnDataDependentSymNode), which a "
        "graph can't; run it with PyTorch, or export a pipeline that begins behind it, on stored features"
    )


class Counting(Picky):
    """Takes the number of frames for a constant, as `len` makes it one."""

    def forward(self, inputs: Sequence) -> Sequence:
        frames = inputs.values.flatten(0, 1)
        return inputs.with_values(frames.reshape(len(frames), -1).mean(dim=1).reshape(*inputs.mask.shape, 1))


def test_a_stage_that_counts_the_clips_is_named(tmp_path: Path) -> None:
    spec = FeaturesSpec(name="counting", config=PickyConfig, factory=Counting, summary="Counts.")
    names = default_registry().with_components(spec, provider="toys")
    model = build(faces(branches={"face": Branch(features=PickyConfig())}), names)
    assert message(lambda: export_onnx(model, tmp_path / "m.onnx")) == (
        "export: branches.face.features goes through the clips of a batch one by one, which a graph can't; "
        "run it with PyTorch, or export a pipeline that begins behind it, on stored features"
    )
    assert not list(tmp_path.iterdir())


class Unknown(Picky):
    """Uses an operator that ONNX does not have."""

    def forward(self, inputs: Sequence) -> Sequence:
        return inputs.with_values(torch.special.bessel_j0(inputs.values.mean(dim=(2, 3, 4)).unsqueeze(-1)))


def test_an_operator_that_onnx_does_not_have_is_named(tmp_path: Path) -> None:
    spec = FeaturesSpec(name="unknown", config=PickyConfig, factory=Unknown, summary="Bessel.")
    names = default_registry().with_components(spec, provider="toys")
    model = build(faces(branches={"face": Branch(features=PickyConfig())}), names)
    assert message(lambda: export_onnx(model, tmp_path / "m.onnx")) == (
        "export: branches.face.features can't be converted to ONNX (No ONNX function found for "
        "<OpOverload(op='prims.bessel_j0', overload='default')>. Failure message: No decompositions registered for the "
        "real-valued input); run it with PyTorch, or export a pipeline that begins behind it, on stored features"
    )


def test_complex_numbers_are_refused_by_the_stage_that_has_them(tmp_path: Path) -> None:
    flow = FrameStream(channels=("u", "v"), unit="pixel", height=SIDE, width=SIDE)
    motion = (HeadCompensationConfig(method="affine"),)
    branch = Branch(motion=motion, features=ConvStemConfig(dim=8))
    model = build(faces(input=flow, branches={"flow": branch}, faces=None, sampling=None))
    assert message(lambda: export_onnx(model, tmp_path / "m.onnx")) == (
        "export: branches.flow.motion[0] computes with complex numbers, for which ONNX has no operators; "
        "run it with PyTorch, or export a pipeline that begins behind it, on stored maps"
    )


@pytest.mark.slow
def test_flow_without_the_motion_of_the_head_is_exported(tmp_path: Path) -> None:
    flow = FrameStream(channels=("u", "v"), unit="pixel", height=SIDE, width=SIDE)
    branch = Branch(motion=(HeadCompensationConfig(method="similarity"),), features=ConvStemConfig(dim=8))
    model = build(faces(input=flow, branches={"flow": branch}, faces=None, sampling=None))
    assert export_onnx(model, tmp_path / "m.onnx").differences["random"] < 1e-4
    y, x = torch.meshgrid(torch.arange(float(SIDE)), torch.arange(float(SIDE)), indexing="ij")
    # the head turns, and one place moves on its own
    flows = torch.stack([0.5 + 0.02 * y, 0.2 - 0.02 * x]).repeat(1, 2, 1, 1, 1)
    flows[:, 1, 0, 10:16, 9:14] += 1.5
    found, expected = load_onnx(tmp_path / "m.onnx").predict(flows), model.eval().predict(flows)
    torch.testing.assert_close(found["expr"], expected["expr"], atol=1e-4, rtol=0)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_differences_to_rest_are_exported(tmp_path: Path, engine: str) -> None:
    if engine == "openvino":
        pytest.importorskip("openvino", reason="needs the extra openvino")
    branch = Branch(motion=(RestDifferenceConfig(),), features=ConvStemConfig(dim=8))
    model = build(faces(branches={"face": branch}, faces=None, sampling=None))
    export_onnx(model, tmp_path / "m.onnx")
    batch = clip(3, 6, padded=2)
    found = load_onnx(tmp_path / "m.onnx", engine=engine).predict(batch)
    torch.testing.assert_close(found["expr"], model.eval().predict(batch)["expr"], atol=1e-5, rtol=0)


@pytest.mark.parametrize("delta", [1, 2, 9])
def test_smoothing_is_exported_for_clips_shorter_than_its_reach(tmp_path: Path, delta: int) -> None:
    model = build(stored(heads={"va": ValenceArousalConfig()}, maps={"mean": SmoothConfig(source="va", delta=delta)}))
    export_onnx(model, tmp_path / "m.onnx")
    for steps in (1, 2, 3, 30):
        values = torch.randn(2, steps, 6)
        mask = torch.arange(steps) < torch.tensor([[steps], [(steps + 1) // 2]])
        batch = {"clip": Sequence.of(values, mask=mask)}
        found, expected = load_onnx(tmp_path / "m.onnx").predict(batch), model.eval().predict(batch)
        torch.testing.assert_close(found["mean"], expected["mean"], atol=1e-5, rtol=0)


@pytest.mark.slow
def test_the_preset_for_micro_expressions_is_exported(tmp_path: Path) -> None:
    model = resolve_model("micro", device=None, seed=0, registry=default_registry())
    assert export_onnx(model, tmp_path / "m.onnx").differences["random"] < 1e-4


def test_a_graph_that_differs_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, recorded = build(stored()), graph.record

    def wrong(model: Model, *, steps: int | None) -> Any:
        made = recorded(model, steps=steps)
        with torch.no_grad():
            next(model.parameters()).mul_(1.5)
        return made

    seen: list[float] = []

    def measured(*args: Any) -> float:
        seen.append(comparing.largest_difference(*args))
        return seen[-1]

    monkeypatch.setattr(onnx_export, "record", wrong)
    monkeypatch.setattr(onnx_export, "largest_difference", measured)
    text = message(lambda: export_onnx(model, tmp_path / "m.onnx"))
    assert seen[0] > 0.01
    rest = (
        "and 0.0001 is allowed; nothing was written, run the pipeline with PyTorch, "
        "or allow more if that is little for its scores (--tolerance)"
    )
    assert text == f"export: the graph differs from PyTorch by {seen[0]:.2g} on random input, {rest}"
    assert not list(tmp_path.iterdir())
    kept = export_onnx(model, tmp_path / "m.onnx", tolerance=2 * max(seen))
    assert kept.differences["random"] > 0.01
    assert message(lambda: comparing.check_difference("real", float("nan"))) == (
        f"export: the graph differs from PyTorch by nan on real input, {rest}"
    )


def test_a_graph_that_an_engine_can_not_run_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stopped:
        name = "onnxruntime"

        def run(self, feeds: Any) -> Any:
            raise RuntimeError("Pad failed\nand more")

    monkeypatch.setattr(onnx_export, "start_engine", lambda graph: Stopped())
    assert message(lambda: export_onnx(build(stored()), tmp_path / "m.onnx")) == (
        "export: onnxruntime can't run the graph on 1 x 1 steps (Pad failed); nothing was written, run the pipeline "
        "with PyTorch"
    )
    assert not list(tmp_path.iterdir())


def test_a_difference_that_is_no_number_is_not_forgotten() -> None:
    model = build(stored()).eval()

    class Broken:
        """NaN in the first output of the first batch, and PyTorch's numbers in all that comes after it."""

        name, takes, gives = "broken", frozenset[str](), frozenset[str]()
        runs = 0

        def run(self, feeds: Any) -> Any:
            flat = graph.Flat(model).eval()
            with torch.no_grad():
                values = flat(*(torch.from_numpy(feeds[name]) for name in flat.inputs))
            found = {name: one.numpy().copy() for name, one in zip(flat.outputs, values, strict=True)}
            if not self.runs:
                found["au"][:] = np.nan
            self.runs += 1
            return found

    engine, takes = Broken(), ["inputs.clip", "mask", "times"]
    assert np.isnan(comparing.largest_difference(model, engine, takes, comparing.random_batches(model, None)))
    assert comparing.largest_difference(model, engine, takes, comparing.random_batches(model, None)) == 0.0


def test_tied_weights_are_in_the_file_once(tmp_path: Path) -> None:
    import onnx

    one = build(faces(branches={"face": Branch(features=ConvStemConfig(dim=1024))}))
    both = mirrored(one)
    export_onnx(one, tmp_path / "one.onnx")
    facts = export_onnx(both, tmp_path / "both.onnx")
    assert facts.differences["random"] < 1e-4
    held = []
    for name in ("one", "both"):
        initializers = onnx.load(tmp_path / f"{name}.onnx").graph.initializer
        held.append(sum(len(tensor.raw_data) for tensor in initializers))
    assert held[1] - held[0] < 1000 < held[0] / 10
    given = clip(2, 4, padded=1)
    found, expected = load_onnx(tmp_path / "both.onnx").predict(given), both.predict(given)
    for name, values in expected.items():
        torch.testing.assert_close(found[name][given.mask], values[given.mask], atol=1e-5, rtol=0)


def test_how_far_members_agree_whose_features_are_joined(tmp_path: Path) -> None:
    heads = {"expr": ExpressionConfig(), "va": ValenceArousalConfig()}
    members = {name: faces(branches={"face": Branch(features=ConvStemConfig(dim=8))}) for name in ("one", "two")}
    joined = EnsembleConfig(
        members=members, fusion=ConcatFusionConfig(hidden=(8,)), heads=heads, agreement=True, sampling=Frames(),
        faces=WholeFrameConfig(),
    )  # fmt: skip
    model = mirrored(build(joined))
    facts = export_onnx(model, tmp_path / "m.onnx")
    assert list(facts.outputs) == ["expr", "va", "expr_agreement", "va_agreement"]
    given = clip(2, 4, padded=1)
    found, expected = load_onnx(tmp_path / "m.onnx").predict(given), model.predict(given)
    assert list(found) == list(expected)
    for name, values in expected.items():
        torch.testing.assert_close(found[name][given.mask], values[given.mask], atol=1e-5, rtol=0)
    # as a member, whose config traces as what was exported
    outer = EnsembleConfig(members={"graph": model.config}, fusion=MeanFusionConfig())
    again = Ensemble(outer, members={"graph": load_onnx(tmp_path / "m.onnx")}).predict(given)
    torch.testing.assert_close(again["va_agreement"], found["va_agreement"], atol=1e-5, rtol=0)


def test_arguments_that_can_not_be(exported: Path, tmp_path: Path) -> None:
    model, path = build(stored()), tmp_path / "m.onnx"
    assert message(lambda: export_onnx(model, tmp_path / "m.pt")) == (
        f"{tmp_path / 'm.pt'}: ending '.pt'; write a .onnx file"
    )
    assert message(lambda: export_onnx(model, exported)) == (
        f"{exported}: already there; pass overwrite=True (--overwrite) to replace a file"
    )
    assert message(lambda: export_onnx(model, tmp_path / "no" / "m.onnx")) == (
        f"{tmp_path / 'no' / 'm.onnx'}: no folder {str(tmp_path / 'no')!r}; make it first"
    )
    assert message(lambda: export_onnx(model, path, steps=0)) == "steps: 0 steps; write 1 or more"
    for tolerance in (0.0, float("nan"), float("inf")):
        assert message(lambda tolerance=tolerance: export_onnx(model, path, tolerance=tolerance)) == (
            f"tolerance: {tolerance} is no difference; write more than 0, such as 0.0001"
        )
    assert message(lambda: export_onnx(model.config, path)) == (  # type: ignore[arg-type]
        "export: PipelineConfig is no built model; call build(), or load a saved one"
    )
    named = build(stored(input=FeatureStream(dim=6, steps=("onset", "apex"))))
    assert message(lambda: export_onnx(named, path, steps=3)) == ("steps: 3 steps, and the inputs name 2; leave it out")
    half = build(stored()).to(torch.bfloat16)
    assert message(lambda: export_onnx(half, path)) == (
        "export: heads.au.linear.weight is bfloat16 on cpu; call model.float().cpu() first"
    )
    clocks = build(EnsembleConfig(
        members={"a": stored(), "b": stored(input=FeatureStream(dim=6, stride=2))}, fusion=MeanFusionConfig(),
    ))  # fmt: skip
    assert message(lambda: export_onnx(clocks, path)) == (
        "export: inputs 'a.clip' and 'b.clip' have different clocks (any steps and any steps, stride 2); a file has "
        "one mask and one list of times, export the members one by one"
    )
    spotting = resolve_model("motion-events", device=None, seed=0, registry=default_registry())
    assert message(lambda: export_onnx(spotting, path)) == (
        "export: the pipeline has no heads; a spotter alone has nothing that ONNX could hold"
    )


def test_without_the_extra_the_command_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, find = build(stored()), importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnxscript" else find(name))
    with pytest.raises(MissingDependencyError) as caught:
        export_onnx(model, tmp_path / "m.onnx")
    assert str(caught.value) == (
        "export: needs 'onnxscript', which is not installed; run pip install 'affectkit[export]'"
    )


# Files that are not what they should be.


def test_foreign_and_changed_files(exported: Path, tmp_path: Path) -> None:
    import onnx

    path = tmp_path / "m.onnx"
    assert message(lambda: load_onnx(path)) == f"{path}: no such file; give a file that affectkit export wrote"
    for content in (b"", b"no model at all", exported.read_bytes()[: 2**12]):
        path.write_bytes(content)
        assert message(lambda: load_onnx(path)) == f"{path}: is no ONNX file, or is damaged; get it again"
    model = onnx.load(str(exported))
    for entry in model.metadata_props:
        if entry.key == FORMAT_KEY:
            entry.value = "2"
    path.write_bytes(model.SerializeToString())
    assert message(lambda: load_onnx(path)) == f"{path}: format '2'; this affectkit reads up to 1: update it"
    del model.metadata_props[:]
    path.write_bytes(model.SerializeToString())
    assert message(lambda: load_onnx(path)) == (
        f"{path}: its metadata hold no 'affectkit_format', so its inputs and labels are not known; "
        "give a file that affectkit export wrote"
    )


@pytest.mark.parametrize("part", ["weights", "labels"])
def test_what_was_changed_is_not_run(exported: Path, tmp_path: Path, part: str) -> None:
    import onnx

    model, path = onnx.load(str(exported)), tmp_path / "m.onnx"
    if part == "weights":
        tensor = next(tensor for tensor in model.graph.initializer if len(tensor.raw_data) > 64)
        tensor.raw_data = bytes(len(tensor.raw_data))
    else:
        for entry in model.metadata_props:
            entry.value = entry.value.replace('"happiness", "sadness"', '"sadness", "happiness"')
    path.write_bytes(model.SerializeToString())
    text = message(lambda: load_onnx(path))
    assert text.startswith(f"{path}: sha256 is ")
    assert text.endswith("; it was changed, export it again")


def test_weights_in_other_files_are_refused(exported: Path, tmp_path: Path) -> None:
    import onnx

    _, facts = read_onnx(exported)
    model, path = onnx.load(str(exported)), tmp_path / "m.onnx"
    (tmp_path / "secret").write_bytes(bytes(4096))
    tensor = next(tensor for tensor in model.graph.initializer if len(tensor.raw_data) > 64)
    onnx.external_data_helper.set_external_data(tensor, location="../secret")
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    path.write_bytes(signed(model.SerializeToString(), facts))
    assert message(lambda: load_onnx(path)) == (
        f"{path}: tensor {tensor.name!r} lies in another file; give a file that holds its weights"
    )


def test_weights_outside_are_found_wherever_a_graph_may_hold_them(exported: Path, tmp_path: Path) -> None:
    import onnx

    _, facts = read_onnx(exported)
    path = tmp_path / "m.onnx"
    outside = onnx.TensorProto(name="secret", data_location=onnx.TensorProto.EXTERNAL)
    places: dict[str, Any] = {
        "subgraph": lambda model: (
            model.graph.node.add(op_type="If").attribute.add(name="b").g.initializer.append(outside)
        ),
        "function": lambda model: model.functions.add(name="f").node.add().attribute.add(name="v").t.CopyFrom(outside),
        "default": lambda model: model.functions.add(name="f").attribute_proto.add(name="v").t.CopyFrom(outside),
        "training": lambda model: model.training_info.add().algorithm.initializer.append(outside),
        "sparse": lambda model: model.graph.sparse_initializer.add().values.CopyFrom(outside),
    }
    for put in places.values():
        model = onnx.load(str(exported))
        put(model)
        path.write_bytes(signed(model.SerializeToString(), facts))
        assert message(lambda: load_onnx(path)) == (
            f"{path}: tensor 'secret' lies in another file; give a file that holds its weights"
        )


def test_a_hostile_file_is_an_error_and_no_crash(exported: Path, tmp_path: Path) -> None:
    import onnx

    _, facts = read_onnx(exported)
    path = tmp_path / "m.onnx"
    # below the outermost level nothing was looked at yet: a field that is cut off, and graphs in graphs in graphs
    deep = b""
    for _ in range(2000):
        deep = bytes_field(1, bytes_field(5, bytes_field(6, deep)))
    for content in (bytes_field(1, b"\x2a"), deep):
        path.write_bytes(signed(bytes_field(7, content), facts))
        assert message(lambda: load_onnx(path)) == f"{path}: is no ONNX file, or is damaged; get it again"
    model = onnx.load(str(exported))
    model.graph.node[0].op_type = "Explode"
    path.write_bytes(signed(model.SerializeToString(), facts))
    text = message(lambda: load_onnx(path))
    assert text.startswith(f"{path}: onnxruntime can't run the graph (")
    assert text.endswith("); export the pipeline again")


def test_metadata_of_another_graph_are_refused(exported: Path, tmp_path: Path) -> None:
    model, facts = read_onnx(exported)
    path = tmp_path / "m.onnx"

    def refused(changed: Any, content: bytes = model) -> str:
        path.write_bytes(signed(content, changed))
        return message(lambda: load_onnx(path)).removeprefix(f"{path}: ").partition("; saved with")[0]

    labels = facts.outputs["va"] | {"targets": ["arousal", "valence"]}
    assert refused(replace(facts, outputs=facts.outputs | {"va": labels})) == (
        "its metadata say outputs.va.targets is ['arousal', 'valence'], and its config makes it "
        "['valence', 'arousal']; export the pipeline again"
    )
    assert refused(replace(facts, outputs={"va": labels})) == (
        "its metadata name the outputs va, and its config expr, va; export the pipeline again"
    )
    assert refused(replace(facts, takes=["inputs.clip"])) == (
        "its graph takes inputs.clip, mask, and its metadata say inputs.clip; export the pipeline again"
    )
    wrongs: list[dict[str, Any]] = [{"takes": "clip"}, {"steps": True}, {"requires": [3]}, {"outputs": {"va": 1}}]
    for wrong in wrongs:
        ((name, value),) = wrong.items()
        assert refused(replace(facts, **wrong)) == f"its metadata say {name} is {value!r}; export it again"
    parts: list[dict[str, Any]] = [{"requires": {"version": "1"}}, {"provenance": {"name": "net", "sha256": ["0"]}}]
    for part in parts:
        ((name, item),) = part.items()
        changed: dict[str, Any] = {name: [item]}
        assert refused(replace(facts, **changed)) == f"its metadata say {name} has {item!r}; export it again"
    # the config names an output of eight classes, and the graph gives two
    swapped = model.replace(b"scores.va", b"scores.xx").replace(b"scores.expr", b"scores.EXPR")
    assert refused(facts, swapped).startswith("its graph gives ")


def test_a_graph_of_other_shapes_is_an_error(exported: Path, tmp_path: Path) -> None:
    import onnx

    model, facts = onnx.load(str(exported)), read_onnx(exported)[1]
    path = tmp_path / "m.onnx"
    for node in model.graph.node:
        for names in (node.input, node.output):
            for i, name in enumerate(names):
                names[i] = {"expr": "va", "va": "expr"}.get(name, name)
    # what is called `expr` has two values then
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    path.write_bytes(signed(model.SerializeToString(), facts))
    again = load_onnx(path)
    assert message(lambda: again.predict(clip())) == (
        "output 'expr' has shape (2, 3, 2) for 2 clips and 8 targets; export the pipeline again"
    )


def test_an_exported_pipeline_is_a_member(exported: Path, tmp_path: Path) -> None:
    net = faces(branches={"face": Branch(features=ConvStemConfig(dim=6))})
    other = build(net)
    config = EnsembleConfig(
        members={"graph": faces(), "net": net}, fusion=MeanFusionConfig(), agreement=True,
    )  # fmt: skip
    expected = Ensemble(config, members={"graph": build(faces()), "net": other}).predict(clip(2, 4, padded=1))
    ensemble = Ensemble(config, members={"graph": load_onnx(exported), "net": other})
    found = ensemble.predict(clip(2, 4, padded=1))
    assert list(found) == list(expected)
    for name, values in expected.items():
        torch.testing.assert_close(found[name], values, atol=1e-5, rtol=0)
    calls: dict[str, Any] = {
        "save": lambda: save(ensemble, tmp_path / "saved"),
        "export": lambda: export_onnx(ensemble, tmp_path / "m.onnx"),
    }
    for what, call in calls.items():
        assert message(call) == (
            f"{what}: members.graph is an exported pipeline, whose weights lie in its file; {HINTS[what]}"
        )
    assert not list(tmp_path.iterdir())
    fused = EnsembleConfig(
        members={"graph": faces(), "net": net}, fusion=AffineFusionConfig(dim=5),
        heads={"expr": ExpressionConfig()},
    )  # fmt: skip
    members = {"graph": load_onnx(exported), "net": other}
    for asked in (False, True):
        config = replace(fused, agreement=asked)
        assert message(lambda config=config: Ensemble(config, members=members).predict(clip())) == (
            "features: an exported pipeline gives scores alone; ask the pipeline that it was made of"
        )


def test_dials_of_an_exported_member_are_fixed(exported: Path) -> None:
    config = faces(heads={"va": ValenceArousalConfig()}, maps={"smooth": SmoothConfig(source="va")})
    # never run, so the graph may be that of another
    loaded = load_onnx(exported)
    graph = OnnxModel(loaded.facts, config, loaded.engine, "float32", loaded.registry)
    members = {"graph": graph, "net": build(config)}
    ensemble = Ensemble(
        EnsembleConfig(members={"graph": config, "net": config}, fusion=MeanFusionConfig()), members=members
    )
    assert graph.dials == ()
    before = ensemble.config
    assert message(lambda: ensemble.set_dials({"members.graph.maps.smooth.delta": 3})) == (
        "members.graph: its dials are fixed, as it is exported; turn them, then export it"
    )
    assert ensemble.config == before
    ensemble.set_dials({"members.net.maps.smooth.delta": 3})
    assert ensemble.config != before


def test_scores_decode_to_what_is_predicted(exported: Path) -> None:
    again = load_onnx(exported)
    for name, raw in again(clip()).items():
        torch.testing.assert_close(again.decode(name, raw), again.predict(clip())[name], atol=1e-6, rtol=0)


@pytest.mark.parametrize(("alignment", "fit"), [("arcface", "least squares"), ("dlib", "level eyes and mouth")])
def test_where_a_face_lies_is_described(alignment: str, fit: str) -> None:
    stream = FrameStream(height=112, width=132, alignment=alignment)
    template = described(stream)["template"]
    assert template["fit"] == fit
    # five points that lie there already stay there
    points = tuple((x, y) for x, y in template["points"].values())
    moved = (
        TEMPLATES[alignment].similarity(Face(box=(0.0, 0.0, 112.0, 112.0), score=1.0, landmarks=points)).then(112, 10)
    )
    for x, y in points:
        assert abs(moved(complex(x, y)) - complex(x, y)) < 1e-6
    assert template["points"]["left eye"][0] < template["points"]["right eye"][0]
    assert "template" not in described(FrameStream(height=4, width=4))


def test_a_missing_plugin_is_named(exported: Path, tmp_path: Path) -> None:
    model, facts = read_onnx(exported)
    data = json.loads(json.dumps(facts.config).replace("affectkit/conv-stem", "affectkit-nowhere/stem"))
    path = tmp_path / "m.onnx"
    path.write_bytes(signed(model, replace(facts, config=data)))
    text = message(lambda: load_onnx(path))
    assert text.startswith(f"{path}: ")
    assert "pip install affectkit-nowhere" in text
    assert "; saved with affectkit==" in text


# What a model that can't learn or change refuses.


def test_what_an_exported_pipeline_can_not_do(exported: Path) -> None:
    model: OnnxModel = load_onnx(exported)
    batch = clip()
    assert message(lambda: model(batch, {})) == (
        "targets: given to an exported pipeline, which can't be trained; train, then export it"
    )
    assert message(lambda: model.features(batch)) == (
        "features: an exported pipeline gives scores alone; ask the pipeline that it was made of"
    )
    with pytest.raises(InputError, match="no output 'eyes'"):
        model.decode("eyes", torch.zeros(1, 1, 2))
    assert model.dials == ()
    calls: dict[str, Any] = {
        "save": lambda: save(model, exported.parent / "new"),
        "export": lambda: export_onnx(model, exported.parent / "new.onnx"),
    }
    for what, call in calls.items():
        assert (
            message(call) == f"{what}: the model is an exported pipeline, whose weights lie in its file; {HINTS[what]}"
        )
    assert message(lambda: model.stream()) == (
        "stream: an exported pipeline scores whole clips; stream the pipeline that it was made of"
    )
    assert message(lambda: model.set_dials({})) == (
        "dials: dials are fixed in an exported pipeline; turn them, then export"
    )
    values = batch.values.clone()
    # the sum of all is NaN in both cases, of the second for what its parts are
    for faulty in ([float("nan")], [float("inf"), -float("inf")]):
        values[1, 2, 0, 0, : len(faulty)] = torch.tensor(faulty)
        assert message(lambda: model.predict(Sequence.of(values))) == (
            "batch.clip: NaN or infinity in clip 1, step 2; give finite values, or mask False for what is not real"
        )
    assert message(lambda: model.predict(batch.values.double())) == (
        "batch.clip: dtype torch.float64; the file takes float32"
    )


def test_engines_and_precisions(exported: Path) -> None:
    assert message(lambda: load_onnx(exported, engine="openvin")) == (
        "engine: no engine 'openvin'; did you mean 'openvino'? engines: 'onnxruntime', 'openvino'"
    )
    assert message(lambda: load_onnx(exported, precision="float16")) == (
        "precision: 'float16' is not accepted; write 'float32' or 'bfloat16'"
    )
    assert message(lambda: load_onnx(exported, precision="bfloat16")) == (
        "precision: onnxruntime computes in float32; write engine='openvino' (--engine openvino), which computes in it"
    )
    model, registry = load_onnx(exported), default_registry()
    with torch.autocast("cpu", torch.bfloat16):
        assert message(lambda: model.predict(clip())) == (
            "precision: an exported pipeline is not under autocast; "
            "write engine='openvino' (--engine openvino), which computes in it"
        )
    assert message(lambda: resolve_model(exported, device="cuda", seed=0, registry=registry)) == (
        f"device: 'cuda', and {exported} runs on the CPU; leave it out"
    )
    assert message(lambda: resolve_model(model, device="cuda", seed=0, registry=registry)) == (
        "device: 'cuda', and an exported pipeline runs on the CPU; leave it out"
    )
    assert message(lambda: resolve_model(stored(), device=None, seed=0, registry=registry, engine="openvino")) == (
        "engine: 'openvino', and PyTorch runs this pipeline; export it, and give the .onnx file"
    )


def test_bfloat16_where_the_cpu_has_it(exported: Path) -> None:
    pytest.importorskip("openvino", reason="needs the extra openvino")
    if not has_openvino_bfloat16():
        assert message(lambda: load_onnx(exported, engine="openvino", precision="bfloat16")) == (
            "precision: this CPU has no instructions for bfloat16; write 'float32'"
        )
        return
    again, model = load_onnx(exported, engine="openvino", precision="bfloat16"), build(faces())
    apart = (again.predict(clip())["expr"] - model.predict(clip())["expr"]).abs().max().item()
    # rounded, and not by much
    assert 1e-6 < apart < 0.05


def test_openvino_keeps_the_names_of_the_graph() -> None:
    """It leaves out what changes nothing, and calls an input or output by the names of that too."""
    pytest.importorskip("openvino", reason="needs the extra openvino")
    from onnx import TensorProto, helper, numpy_helper

    one, zero = numpy_helper.from_array(np.float32(1), "one"), numpy_helper.from_array(np.float32(0), "zero")
    nodes = [
        helper.make_node("Div", ["inputs.clip", "one"], ["div"]),
        helper.make_node("Sub", ["div", "zero"], ["sub"]),
        helper.make_node("Relu", ["sub"], ["relu"]),
        helper.make_node("Identity", ["relu"], ["va"]),
        helper.make_node("Identity", ["relu"], ["scores.va"]),
    ]
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3]) for name in ("inputs.clip", "va", "scores.va")
    ]
    graph = helper.make_graph(nodes, "names", values[:1], values[1:], [one, zero])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9).SerializeToString()
    engine = start_engine(model, "openvino")
    assert engine.takes == {"inputs.clip"}
    assert engine.gives == {"va", "scores.va"}
    found = engine.run({"inputs.clip": np.array([[-1, 2, 3]], np.float32)})
    assert {name: scores.tolist() for name, scores in found.items()} == {
        "va": [[0, 2, 3]],
        "scores.va": [[0, 2, 3]],
    }


# Int8.


def halves() -> tuple[tuple[dict[str, Sequence], ...], tuple[dict[str, Sequence], ...]]:
    made = torch.Generator().manual_seed(5)
    batches = [{"clip": Sequence.of(torch.rand(4, 2, 3, SIDE, SIDE, generator=made))} for _ in range(6)]
    return tuple(batches[::2]), tuple(batches[1::2])


def test_int8_is_kept_where_it_decides_alike(tmp_path: Path) -> None:
    calibrate, held_out = halves()
    model, path = build(faces()), tmp_path / "m.onnx"
    facts = export_onnx(model, path, int8=Int8(calibrate=calibrate, held_out=held_out, max_drop=0.9))
    assert facts.numbers == "int8"
    assert facts.gate["decisions"] == {"expr": 24, "va": 48}
    assert facts.gate["agreement"]["expr"]["float32"] == 1.0
    found, expected = load_onnx(path).predict(held_out[0]), model.predict(held_out[0])
    apart = (found["expr"] - expected["expr"]).abs().max().item()
    assert 0 < apart < 0.1
    float32 = export_onnx(model, tmp_path / "f.onnx")
    assert float32.numbers == "float32"


def test_int8_that_decides_otherwise_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calibrate, held_out = halves()

    def flipped(values: Tensor, stream: Any) -> Tensor:
        # PyTorch, float32, int8: of what the last says, every second clip's decisions are others
        decisions = original(values, stream)
        seen.append(None)
        if len(seen) == 3:
            decisions[::2] = (decisions[::2] + 1) % 8
        return decisions

    original, seen = int8_module._decisions, list[None]()
    monkeypatch.setattr(int8_module, "_decisions", flipped)
    model = build(faces(heads={"expr": ExpressionConfig()}))
    int8 = Int8(calibrate=calibrate[:1], held_out=held_out[:1], max_drop=0.01)
    text = message(lambda: export_onnx(model, tmp_path / "m.onnx", int8=int8))
    assert text == (
        "export: int8 agrees with PyTorch in 0.5000 of 8 decisions of 'expr', float32 in 1.0000, and a drop of 0.01 is "
        "allowed; nothing was written, calibrate on more pictures, or stay with float32"
    )
    assert not list(tmp_path.iterdir())


def test_a_gate_without_data_is_none() -> None:
    calibrate, held_out = halves()
    assert message(lambda: Int8(calibrate=calibrate, held_out=())) == (
        "int8: 3 batches to calibrate on and 0 held out; give at least one of each"
    )
    assert message(lambda: Int8(calibrate=calibrate, held_out=held_out, max_drop=1.0)) == (
        "max_drop: 1.0 is no share; write 0 or more, below 1"
    )


def gate(model: Model, quantized: Any, monkeypatch: pytest.MonkeyPatch, **given: Any) -> dict[str, Any]:
    """The gate alone, with engines that say what they are told: None for what PyTorch says."""

    class Told:
        def __init__(self, model: Any) -> None:
            self.change = quantized if model == b"int8" else None

    def run_told(engine: Any, model: Model, takes: Any, batch: Any, steps: Any) -> dict[str, Tensor]:
        found = model.predict(batch)
        return {name: values if engine.change is None else engine.change(values) for name, values in found.items()}

    monkeypatch.setattr(int8_module, "start_engine", Told)
    monkeypatch.setattr(int8_module, "run", run_told)
    return int8_module.pass_gate(model, b"float32", b"int8", [], Int8(calibrate=given["held_out"], **given), None)


def test_the_gate_measures_accuracy_where_there_are_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    model, batch = build(faces()).eval(), clip(4, 3, padded=1)
    found = model.predict(batch)["expr"].argmax(dim=-1)
    # half of the frames are labeled, and one of those as PyTorch would not have it
    valid = torch.zeros_like(found, dtype=torch.bool)
    valid[1:3] = True
    truth = found.clone()
    truth[1, 0] = (truth[1, 0] + 1) % 8
    given: dict[str, Any] = {"held_out": ({"clip": batch},), "labels": ({"expr": Targets(truth, valid)},)}
    said = gate(model, None, monkeypatch, **given)
    assert said["decisions"] == {"expr": 6, "va": 22}
    assert said["accuracy"] == {"expr": {"float32": pytest.approx(5 / 6), "int8": pytest.approx(5 / 6)}}
    assert said["agreement"] == {"va": {"float32": 1.0, "int8": 1.0}}
    text = message(lambda: gate(model, lambda values: values.roll(2, dims=-1), monkeypatch, **given))
    assert text.startswith(
        "export: int8 is right in 0.0000 of 6 decisions of 'expr', float32 in 0.8333, and a drop of "
    )
    shares = torch.nn.functional.one_hot(truth, 8).float()
    given["labels"] = ({"expr": Targets(shares, valid.unsqueeze(-1).expand_as(shares))},)
    assert gate(model, None, monkeypatch, **given)["accuracy"] == said["accuracy"]


def test_a_gate_that_can_not_measure_does_not_open(monkeypatch: pytest.MonkeyPatch) -> None:
    model, batch = build(faces()).eval(), clip()
    held_out = ({"clip": batch},)
    text = message(lambda: gate(model, lambda values: values * float("nan"), monkeypatch, held_out=held_out))
    assert text.startswith("export: int8 agrees with PyTorch in 0.0000 of 6 decisions of 'expr', float32 in 1.0000")
    nothing = ({"clip": batch._replace(mask=torch.zeros_like(batch.mask))},)
    assert message(lambda: gate(model, None, monkeypatch, held_out=nothing)) == (
        "int8: no decision of 'expr' is held out; give batches with real steps, and valid labels where you give labels"
    )
    wrong = torch.zeros(2, dtype=torch.long)
    labels: Any = ({"expr": Targets.of(wrong)},)
    assert message(lambda: gate(model, None, monkeypatch, held_out=held_out, labels=labels)) == (
        "int8: labels of 'expr' have values of shape (2,), and its decisions are (2, 3); give those of the same batch"
    )
    labels = ({"exp": Targets.of(wrong)},)
    assert message(lambda: gate(model, None, monkeypatch, held_out=held_out, labels=labels)) == (
        "int8: labels of 'exp'; did you mean 'expr'? outputs: 'expr', 'va'"
    )
    assert message(lambda: Int8(calibrate=held_out, held_out=held_out, labels=labels * 2)) == (
        "int8: labels of 2 batches, and 1 are held out; give those of every batch"
    )
    assert message(lambda: Int8(calibrate=held_out, held_out=held_out * 2, labels=({}, *labels))) == (
        "int8: labels of nothing in the first batch, and of others later; give the same outputs in every batch, "
        "not valid where not known"
    )


@pytest.mark.parametrize(
    ("output", "wrong", "message_of_it"),
    [
        ("expr", 99, "99, and classes are 0 to 7"),
        ("expr", -1, "-1, and classes are 0 to 7"),
        ("va", -5.0, "-5.0, and values are -1 to 1"),
        ("va", float("nan"), "nan, and values are -1 to 1"),
        ("shares", 1.5, "1.5, and shares are 0 to 1"),
    ],
)
def test_labels_beyond_their_range_open_no_gate(
    output: str, wrong: float, message_of_it: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, batch = build(faces()).eval(), clip(padded=1)
    found = model.predict(batch)
    values = {"expr": found["expr"].argmax(dim=-1), "va": found["va"].clone(), "shares": found["expr"].clone()}[output]
    name = "expr" if output == "shares" else output
    values[0, 1] = wrong
    given: dict[str, Any] = {"held_out": ({"clip": batch},), "labels": ({name: Targets.of(values)},)}
    text = f"int8: labels of {name!r} hold {message_of_it}; what is not labeled has valid=False"
    assert message(lambda: gate(model, None, monkeypatch, **given)) == text
    # what does not count may be anything
    valid = torch.ones_like(values, dtype=torch.bool)
    valid[0, 1] = False
    given["labels"] = ({name: Targets(values, valid)},)
    assert gate(model, None, monkeypatch, **given)["accuracy"][name] == {"float32": 1.0, "int8": 1.0}


# The commands.


def test_export_and_analyze_from_the_command_line(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import cv2

    from affectkit.files import write_config

    write_config(faces(), here / "faces.toml")
    (here / "pictures").mkdir()
    for i in range(8):
        picture = np.random.default_rng(i).integers(0, 255, (40, 40, 3), dtype=np.uint8)
        cv2.imwrite(str(here / "pictures" / f"{i}.png"), picture)
    words = ("export", "faces.toml", "faces.onnx", "--check-on", "pictures")
    code, out, _ = run(capsys, *words)
    assert code == 0
    assert "faces.onnx: " in out
    assert "float32, largest difference from PyTorch on real input: " in out
    assert "not compared on real input" not in out
    made = run_json(capsys, *words, "--overwrite", "--int8", "--calibrate", "pictures", "--max-drop", "0.9")
    assert made["numbers"] == "int8"
    assert made["gate"]["decisions"]["expr"] == 4
    code, out, _ = run(capsys, "analyze", "pictures/0.png", "--pipeline", "faces.onnx", "--out", "rows.csv")
    assert code == 0
    assert "1 row in rows.csv, by faces.onnx with affectkit/whole-frame" in out
    assert run(capsys, *words, "--int8") == (
        1, "", "error: --int8: given without --calibrate; give both or neither\n",
    )  # fmt: skip


def test_one_picture_can_not_be_both(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import cv2

    from affectkit.files import write_config

    write_config(faces(), here / "faces.toml")
    cv2.imwrite(str(here / "one.png"), np.zeros((40, 40, 3), dtype=np.uint8))
    code, _, err = run(capsys, "export", "faces.toml", "f.onnx", "--int8", "--calibrate", "one.png")
    assert code == 1
    assert err.splitlines()[-1] == (
        "error: one.png: 1 files, every second one held out, with faces in 1 batches to calibrate on and 0 "
        "others; "
        "give pictures of faces, two at the least, better hundreds"
    )


def test_files_without_a_face_are_counted(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import cv2

    from affectkit.files import write_config
    from affectkit.testing.examples import face_picture

    write_config(faces(), here / "faces.toml")
    face, gray = face_picture(), np.full((120, 120, 3), 90, np.uint8)
    for name in "abcdef":
        (here / "pictures").mkdir(exist_ok=True)
        cv2.imwrite(str(here / "pictures" / f"{name}.png"), gray if name in "bcf" else face)
    words = ("export", "faces.toml", "faces.onnx", "--faces", "haar", "--int8", "--max-drop", "0.9")
    said = "pictures: no face in 3 of 6 files, first pictures/b.png; they are left out"
    code, out, _ = run(capsys, *words, "--calibrate", "pictures", "--check-on", "pictures")
    assert code == 0
    assert out.splitlines()[:2] == [f"--check-on {said}", f"--calibrate {said}"]
    read = {"files": 6, "read": 6, "no_face": [f"pictures/{name}.png" for name in "bcf"], "not_read": []}
    data = run_json(capsys, *words, "--calibrate", "pictures", "--check-on", "pictures", "--overwrite")
    assert data["seen"] == {"check_on": read, "calibrate": read}
    (here / "none").mkdir()
    for name in "ab":
        cv2.imwrite(str(here / "none" / f"{name}.png"), gray)
    for option, error in (
        (
            "--check-on",
            "none: no face that the pipeline could be given in 2 files; "
            "give files with faces, or another detector (--faces)",
        ),
        (
            "--calibrate",
            "none: 2 files, every second one held out, with faces in 0 batches to calibrate on and 0 "
            "others; "
            "give pictures of faces, two at the least, better hundreds",
        ),
    ):
        code, _, err = run(capsys, *words, "--calibrate", "pictures", option, "none", "--overwrite")
        assert (code, err.splitlines()[-1]) == (1, f"error: {error}")


def test_files_that_can_not_be_read_are_counted(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import cv2

    from affectkit.files import write_config

    write_config(faces(), here / "faces.toml")
    (here / "pictures").mkdir()
    for name in "adef":
        cv2.imwrite(str(here / "pictures" / f"{name}.png"), np.zeros((40, 40, 3), np.uint8))
    (here / "pictures" / "b.jpg").touch()
    # its pixels are cut off
    (here / "pictures" / "c.png").write_bytes((here / "pictures" / "a.png").read_bytes()[:60])
    words = ("export", "faces.toml", "faces.onnx", "--int8", "--max-drop", "0.9")
    code, out, _ = run(capsys, *words, "--calibrate", "pictures", "--check-on", "pictures")
    said = "pictures: 2 of 6 files can't be used and are left out, first pictures/b.jpg: is empty; copy it again"
    assert (code, out.splitlines()[:2]) == (0, [f"--check-on {said}", f"--calibrate {said}"])
    data = run_json(capsys, *words, "--calibrate", "pictures", "--check-on", "pictures", "--overwrite")
    assert data["gate"]["decisions"]["expr"] == 2
    for seen in (data["seen"]["check_on"], data["seen"]["calibrate"]):
        assert (seen["files"], seen["read"], seen["no_face"]) == (6, 6, [])
        first, second = seen["not_read"]
        assert first == {"file": "pictures/b.jpg", "reason": "is empty; copy it again"}
        assert second["file"] == "pictures/c.png"
    for name in "adef":
        (here / "pictures" / f"{name}.png").unlink()
    code, _, err = run(capsys, *words, "--calibrate", "pictures", "--overwrite", "--json")
    fact = "error: pictures: none of 2 files can be used, first pictures/b.jpg: is empty; copy it again"
    assert (code, err.splitlines()[-1]) == (1, fact)
    # a file that is named itself has no others to go on with
    code, out, err = run(capsys, "export", "faces.toml", "f.onnx", "--check-on", "pictures/b.jpg")
    assert (code, out, err.splitlines()[-1]) == (1, "", "error: pictures/b.jpg: is empty; copy it again")


def test_files_are_halved_by_their_place(here: Path) -> None:
    import cv2

    from affectkit.faces.haar import HaarConfig
    from affectkit.testing.examples import face_picture
    from affectkit.video.batches import face_batches

    face, gray = face_picture(), np.full((120, 120, 3), 90, np.uint8)
    model = build(faces())
    for name in "abcdef":
        cv2.imwrite(f"{name}.png", gray if name in "be" else np.roll(face, ord(name) - ord("a"), axis=1))

    def sizes(names: str, *, most: int = 64) -> tuple[list[int], int, str]:
        found = face_batches([f"{name}.png" for name in names], model, HaarConfig(), most=most, parts=2)
        return [len(part) for part in found.parts], found.read, "".join(path.stem for path in found.without)

    # whatever is in them: names may keep a person in one half
    assert sizes("abc") == ([2, 0], 3, "b")
    assert sizes("ab") == ([1, 0], 2, "b")
    assert sizes("abcdef") == ([2, 2], 6, "be")
    # no more is read when both are full
    assert sizes("abcdef", most=1) == ([1, 1], 3, "b")


def test_a_full_half_takes_no_more_files(here: Path) -> None:
    from affectkit.video.batches import face_batches

    write_levels(here / "long.mp4", [100] * 40)
    write_levels(here / "short.mp4", [100] * 8)
    names = ["long.mp4", "short.mp4", "short.mp4", "short.mp4", "long.mp4"]
    found = face_batches(names, build(faces()), WholeFrameConfig(), most=3, parts=2)
    assert ([len(part) for part in found.parts], found.read) == ([3, 2], 3)


def test_still_pictures_are_refused_where_events_are_looked_for(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import cv2

    (here / "pictures").mkdir()
    cv2.imwrite("pictures/one.png", np.zeros((40, 40, 3), np.uint8))
    code, _, refused = run(capsys, "analyze", "pictures/one.png", "--pipeline", "micro")
    assert code == 1
    said = "error: pictures/one.png: is a still picture, and micro looks for events over time, by MotionEventsConfig; "
    assert refused.splitlines()[-1].startswith(said)
    (here / "both").mkdir()
    write_levels(here / "both" / "clip.mp4", [100] * 4)
    cv2.imwrite("both/poster.png", np.zeros((40, 40, 3), np.uint8))
    code, out, err = run(capsys, "export", "micro", "x.onnx", "--check-on", "both")
    reason = refused.splitlines()[-1].removeprefix("error: pictures/one.png: ")
    left = f"--check-on both: 1 of 2 files can't be used and are left out, first both/poster.png: {reason}"
    assert (code, out.splitlines()[0]) == (1, left)
    fact = "no face that the pipeline could be given in 2 files; give files with faces, or another detector (--faces)"
    assert err.splitlines()[-1] == f"error: both: {fact}"
    for words in (
        ("--check-on", "pictures/one.png"),
        ("--check-on", "pictures"),
        ("--int8", "--calibrate", "pictures"),
    ):
        code, out, err = run(capsys, "export", "micro", "x.onnx", *words)
        assert (code, out, err.splitlines()[-1]) == (1, "", refused.splitlines()[-1])


def test_files_that_are_not_needed_are_counted(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import cv2

    from affectkit.cli import export
    from affectkit.files import write_config

    monkeypatch.setattr(export, "_MOST", 2)
    write_config(faces(), here / "faces.toml")
    (here / "pictures").mkdir()
    for name in "abc":
        cv2.imwrite(str(here / "pictures" / f"{name}.png"), np.zeros((40, 40, 3), np.uint8))
    code, out, _ = run(capsys, "export", "faces.toml", "faces.onnx", "--check-on", "pictures")
    assert (code, out.splitlines()[0]) == (0, "--check-on pictures: 2 of 3 files are read, which is enough")


def test_the_engine_starts_from_bytes(exported: Path) -> None:
    with pytest.raises(ConfigError):
        start_engine(exported.read_bytes(), "tensorrt")
