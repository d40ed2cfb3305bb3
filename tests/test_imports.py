"""Imports run one way, a bare import loads next to nothing, and the public names are those of the table."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import affectkit

PACKAGE = Path(affectkit.__file__).parent
# Each module may import, at its top level, those before it.
TORCH_FREE = (
    "errors", "spelling", "seeds", "streams", "records", "fields", "tracing", "configs", "codec", "dials", "specs",
    "hookspecs", "plugins", "registry", "pipeline", "score_streams", "tying", "graphs", "ensemble", "files", "folders",
    "lookup", "recipes",
)  # fmt: skip
TORCH_FROM_HERE = (
    "sequences", "interfaces", "devices", "agreement", "score_joining", "stage_building", "batch_checks", "outputs",
    "model", "pipeline_model", "member_outputs", "member_agreement", "looks", "ensemble_model", "streaming",
    "weights", "caching", "cards", "hub", "tensor_files", "artifact", "published",
)  # fmt: skip
LAYERS = (*TORCH_FREE, *TORCH_FROM_HERE)
# What a bare import, and making the default registry, may load besides the standard library.
ALLOWED = {"affectkit", "pluggy"}
HEAVY: tuple[str, ...] = (
    "torch",
    "numpy",
    "cv2",
    "av",
    "timm",
    "torchvision",
    "scipy",
    "sklearn",
    "lightning",
    "optuna",
    "safetensors",
)
HEAVY += ("matplotlib", "pyarrow", "onnxruntime", "rich", "pandas", "distributed", "numba")
# What runs pipelines on videos stands above the core: by module or folder, what it may import at its top level beside
# the core and what stands before it here.
ABOVE = {
    "results": ("video",),
    "video": ("results",),
    "workers": (),
    # the templates to which faces are aligned
    "export": ("faces", "video"),
    "resolving": ("export", "faces", "results"),
    "stills": (),
    "media_files": ("video",),
    "analysis": ("export", "motion", "resolving", "results", "stills", "video"),
    "batch": ("analysis", "media_files", "results", "video", "workers"),
    "many_pictures": ("analysis", "export", "media_files", "resolving", "results", "stills", "video"),
    "magnification": ("motion", "results", "video"),
}
# Reading and results need no torch, and nothing heavy before they are asked for something; but for these.
SCORES = {"batches", "detection", "engine", "event_scoring", "scoring"}
DRAWS = {"annotate", "contact_sheet", "findings", "overlay", "panels", "picture_overlay", "plotting", "timeline"}


def is_type_checking(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def top_level_imports(tree: ast.Module) -> Iterator[str]:
    """Full names that are imported when the module is: no function bodies, nothing under TYPE_CHECKING."""
    pending: list[ast.AST] = list(tree.body)
    while pending:
        node = pending.pop(0)
        if isinstance(node, ast.Import):
            yield from (item.name for item in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{item.name}" for item in node.names)
        elif isinstance(node, ast.If) and is_type_checking(node):
            pending += node.orelse
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            pending += ast.iter_child_nodes(node)


def own_modules(tree: ast.Module) -> set[str]:
    """First part below `affectkit` of what is imported: `errors`, `fusion`."""
    names = (name.split(".") for name in top_level_imports(tree))
    return {parts[1] for parts in names if parts[0] == "affectkit" and len(parts) > 1}


def layer_faults(module: str, source: str) -> list[str]:
    allowed = LAYERS[: LAYERS.index(module)]
    tree = ast.parse(source)
    faults = [f"{module} imports {name}" for name in sorted(own_modules(tree).difference(allowed))]
    if module in TORCH_FREE:
        heavy = {name.partition(".")[0] for name in top_level_imports(tree)}.intersection(HEAVY)
        faults += [f"{module} imports {name}" for name in sorted(heavy)]
    return faults


@pytest.mark.parametrize("module", LAYERS)
def test_the_core_imports_earlier_layers_only(module: str) -> None:
    assert layer_faults(module, (PACKAGE / f"{module}.py").read_text()) == []


@pytest.mark.parametrize(
    ("module", "source", "faults"),
    [
        ("errors", "from affectkit.streams import FrameStream", ["errors imports streams"]),
        ("registry", "from affectkit.fusion.affine import SPEC", ["registry imports fusion"]),
        ("registry", "from affectkit import fusion", ["registry imports fusion"]),
        ("registry", "import affectkit.heads", ["registry imports heads"]),
        ("specs", "import torch.nn", ["specs imports torch"]),
        ("specs", "try:\n    import numpy\nexcept ImportError:\n    pass", ["specs imports numpy"]),
        ("specs", "class A:\n    from affectkit.model import B", ["specs imports model"]),
        ("specs", "if TYPE_CHECKING:\n    import torch\nelse:\n    import av", ["specs imports av"]),
        ("model", "import torch\nfrom affectkit.specs import lazy", []),
        ("specs", "def f():\n    import torch", []),
    ],
)
def test_a_fault_in_the_order_would_be_found(module: str, source: str, faults: list[str]) -> None:
    assert layer_faults(module, source) == faults


@pytest.mark.parametrize("name", ABOVE)
def test_what_runs_pipelines_stands_above_the_core(name: str) -> None:
    allowed = {*LAYERS, *ABOVE[name], name}
    paths = sorted((PACKAGE / name).glob("*.py")) or [PACKAGE / f"{name}.py"]
    for path in paths:
        assert own_modules(ast.parse(path.read_text())) <= allowed, path.name


def test_reading_and_results_need_nothing_heavy() -> None:
    modules = ["affectkit.workers"]
    for folder, rest in (("video", SCORES), ("results", DRAWS)):
        names = {path.stem for path in (PACKAGE / folder).glob("*.py")}
        assert rest < names
        modules += [f"affectkit.{folder}.{name}" for name in sorted(names - rest - {"__init__"})]
    done = blocked(modules)
    assert (done.returncode, done.stderr) == (0, "")


def test_scores_need_no_torch() -> None:
    modules = [f"affectkit.protocols.{path.stem}" for path in sorted((PACKAGE / "protocols").glob("[!_]*.py"))]
    assert len(modules) >= 9
    assert blocked(modules, heavy=("torch", "pyarrow")).returncode == 0


def test_feature_files_need_neither_torch_nor_pictures() -> None:
    names = ("track", "formats", "reading", "writing", "aligning")
    heavy = ("torch", "cv2", "av", "pyarrow", "safetensors")
    done = blocked([f"affectkit.tracks.{name}" for name in names], heavy=heavy)
    assert (done.returncode, done.stderr) == (0, "")
    for name in names:
        below = {*TORCH_FREE, "results", "tracks"}
        assert own_modules(ast.parse((PACKAGE / "tracks" / f"{name}.py").read_text())) <= below, name


def test_parts_of_dataset_readers_need_nothing_heavy() -> None:
    # a reader is a Dataset, which is an interface, and torch begins there
    folder = PACKAGE / "datasets"
    names = {path.stem for path in folder.glob("*.py") if not path.stem.endswith("_reader")} - {"table_clips"}
    assert len(names) >= 25
    done = blocked([f"affectkit.datasets.{name}" for name in sorted(names)])
    assert (done.returncode, done.stderr) == (0, "")


def test_drawing_needs_no_torch() -> None:
    done = blocked([f"affectkit.results.{name}" for name in sorted(DRAWS)], heavy=("torch", "matplotlib", "pyarrow"))
    assert (done.returncode, done.stderr) == (0, "")


def component_modules() -> list[str]:
    """Modules of the package that define a `SPEC`: one per standard component."""
    found = []
    for path in sorted(PACKAGE.glob("*/*.py")):
        names = [
            target.id
            for node in ast.parse(path.read_text()).body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        ]
        if "SPEC" in names:
            found.append(f"affectkit.{path.parent.name}.{path.stem}")
    return found


def loaded_by(code: str) -> set[str]:
    """Top-level packages outside the standard library that a fresh interpreter loads for `code`."""
    script = (
        "import json, sys\n"
        "before = set(sys.modules)\n"
        f"{code}\n"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(json.dumps(sorted(new - set(sys.stdlib_module_names))))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    ("code", "packages"),
    [
        ("import affectkit", {"affectkit"}),
        ("import affectkit; affectkit.PipelineConfig", ALLOWED),
        ("import affectkit; affectkit.default_registry()", ALLOWED),
        ("import affectkit; affectkit.default_registry(); affectkit.PipelineConfig; affectkit.TimmConfig()", ALLOWED),
    ],
)
def test_a_bare_import_loads_next_to_nothing(code: str, packages: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFFECTKIT_DISABLE_PLUGINS", ",".join(installed_plugins()))
    assert loaded_by(code) == packages


def test_a_heavier_import_would_be_found() -> None:
    assert loaded_by("import affectkit, numpy") == {"affectkit", "numpy"}
    assert "numpy" in loaded_by("import affectkit; affectkit.Sequence") - ALLOWED


def installed_plugins() -> list[str]:
    """Distributions other than ours: what they load is their own tests' matter."""
    return sorted({report.provider for report in affectkit.default_registry().reports} - {"affectkit"})


def blocked(modules: list[str], heavy: tuple[str, ...] = HEAVY) -> subprocess.CompletedProcess[str]:
    """Import modules in an interpreter in which nothing heavy can be imported."""
    code = "\n".join(
        [
            "import importlib, sys",
            *(f"sys.modules[{name!r}] = None" for name in heavy),
            *(f"importlib.import_module({name!r})" for name in modules),
        ]
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_every_standard_component_is_declared_without_torch() -> None:
    modules = component_modules()
    assert len(modules) >= 25
    modules += ["affectkit.variant_configs"]
    done = blocked([*(f"affectkit.{name}" for name in TORCH_FREE), "affectkit.standard", *modules])
    assert (done.returncode, done.stderr) == (0, "")


def test_a_component_that_needs_torch_would_be_found() -> None:
    done = blocked(["affectkit.fusion.affine_net"])
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == ("ModuleNotFoundError: import of torch halted; None in sys.modules")


def test_the_standard_plugin_yields_every_component() -> None:
    declared = {f"{item.spec.config.__module__}" for item in affectkit.default_registry().components()}
    assert set(component_modules()) <= declared


def declared_exports() -> dict[str, str]:
    """Public name to module, as the TYPE_CHECKING block of the package says it to type checkers."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    (block,) = [node for node in tree.body if isinstance(node, ast.If) and is_type_checking(node)]
    exports = {}
    for node in block.body:
        assert isinstance(node, ast.ImportFrom)
        for item in node.names:
            if node.module != "typing":
                assert item.name == item.asname, f"{item.name} is not re-exported for type checkers"
                exports[item.name] = str(node.module)
    return exports


def test_type_checkers_and_the_table_agree() -> None:
    exports = declared_exports()
    assert exports == affectkit._PUBLIC
    assert sorted(affectkit.__all__) == sorted(["__version__", *exports])
    assert dir(affectkit) == sorted(affectkit.__all__)


@pytest.mark.parametrize("name", affectkit.__all__)
def test_every_public_name_resolves(name: str) -> None:
    value = getattr(affectkit, name)
    if isinstance(value, type):
        assert value.__name__ == name
    assert value is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError) as caught:
        affectkit.PipelinConfig  # noqa: B018
    assert str(caught.value) == "module 'affectkit' has no attribute 'PipelinConfig'"
