"""Without MediaPipe, or with a broken one, all is listed, and only what needs it can't be built."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from affectkit_mediapipe import affectkit_components, affectkit_pipelines
from affectkit_mediapipe.blendshape_features import MediaPipeBlendshapesConfig
from affectkit_mediapipe.bundle import BLENDSHAPES, PROVIDER
from affectkit_mediapipe.face import MediaPipeFaceConfig
from affectkit_mediapipe.landmarker import Finder, Landmarker
from affectkit_mediapipe.presets import make_au_proxies

from affectkit import ConfigError, FrameStream, MissingDependencyError, Registry, StreamError, default_registry
from affectkit.video.detection import build_detector

PLUGIN = Path(__file__).resolve().parents[1]
ABSENT = "needs 'mediapipe', which is not installed; run pip install affectkit-mediapipe"
CAUSE = "libEGL.so.1: cannot open shared object file: No such file or directory"


@pytest.fixture
def registry() -> Registry:
    listed: Registry = default_registry().with_components(*affectkit_components(), provider=PROVIDER)
    return listed.with_pipelines(*affectkit_pipelines(), provider=PROVIDER)


@pytest.fixture
def _absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mediapipe", None)


@pytest.mark.usefixtures("_absent")
def test_everything_is_listed_and_traced(registry: Registry) -> None:
    listing = repr(registry)
    for name in ("mediapipe-face", "mediapipe-blendshapes", "blendshapes", "au-proxies", "mediapipe-au-proxies"):
        assert f"{PROVIDER}/{name} " in listing
    trace = registry.preset("mediapipe-au-proxies").spec.make().trace(registry=registry)
    assert [step.path for step in trace] == ["branches.face.features", "heads.blendshapes", "maps.au_proxies"]
    assert trace.outputs["blendshapes"].targets == (*BLENDSHAPES, "found")


@pytest.mark.usefixtures("_absent")
def test_what_needs_it_says_so_when_it_is_built(registry: Registry) -> None:
    with pytest.raises(MissingDependencyError) as detector:
        build_detector(MediaPipeFaceConfig(), registry)
    assert str(detector.value) == f"affectkit-mediapipe/mediapipe-face: {ABSENT}"
    with pytest.raises(MissingDependencyError) as model:
        make_au_proxies().build(registry=registry)
    assert str(model.value) == f"affectkit-mediapipe/mediapipe-blendshapes: {ABSENT}"


@pytest.mark.usefixtures("_absent")
def test_the_rest_works(registry: Registry) -> None:
    assert registry.preset("starter").spec.make().build(registry=registry) is not None


def test_a_broken_one_is_an_error_of_its_component_alone(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mediapipe").mkdir()
    (tmp_path / "mediapipe" / "__init__.py").write_text(f"raise ImportError({CAUSE!r})")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "mediapipe"]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(MissingDependencyError) as caught:
        make_au_proxies().build(registry=registry)
    assert str(caught.value) == f"mediapipe: can't be imported ({CAUSE}); run pip install affectkit-mediapipe"


@pytest.mark.parametrize("task", [Landmarker, Finder])
def test_a_library_of_the_system_that_is_missing_is_named(task: type[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(options: object) -> None:
        raise OSError(CAUSE)

    def anything(**fields: object) -> None:
        return None

    creator = SimpleNamespace(create_from_options=fail)
    fake: Any = ModuleType("mediapipe")
    fake.tasks = SimpleNamespace(BaseOptions=anything, vision=SimpleNamespace())
    fake.tasks.vision.FaceLandmarker = fake.tasks.vision.FaceDetector = creator
    fake.tasks.vision.FaceLandmarkerOptions = fake.tasks.vision.FaceDetectorOptions = anything
    monkeypatch.setitem(sys.modules, "mediapipe", fake)
    with pytest.raises(MissingDependencyError) as caught:
        open_fake(task)
    assert str(caught.value) == (
        f"mediapipe: its library can't be loaded ({CAUSE}); "
        "install what it is linked to, libEGL.so.1 and libGLESv2.so.2"
    )


def open_fake(task: type[Any]) -> Any:
    import io
    import zipfile

    if task is Landmarker:
        return Landmarker(b"", max_faces=1, score_threshold=0.5, presence_threshold=0.5, with_blendshapes=True)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("face_detector.tflite", b"")
    return Finder(packed.getvalue(), score_threshold=0.5)


def test_what_is_advertised_needs_neither_torch_nor_mediapipe() -> None:
    names = ("bundle", "face", "blendshape_features", "blendshape_head", "au_proxies", "presets")
    text = "import sys\nfor name in ('torch', 'mediapipe', 'numpy', 'cv2'): sys.modules[name] = None\n"
    text += f"sys.path.insert(0, {str(PLUGIN)!r})\nimport affectkit_mediapipe\n"
    text += "".join(f"import affectkit_mediapipe.{name}\n" for name in names)
    text += "list(affectkit_mediapipe.affectkit_components()); list(affectkit_mediapipe.affectkit_pipelines())\n"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"max_faces": 0}, "max_faces: 0 faces; write 1 or more"),
        ({"score_threshold": 1.5}, "score_threshold: 1.5 is no threshold; write 0 to 1"),
        ({"presence_threshold": -0.5}, "presence_threshold: -0.5 is no threshold; write 0 to 1"),
    ],
)
def test_fields_that_can_not_be_meant(fields: dict[str, Any], message: str) -> None:
    for config in (MediaPipeFaceConfig, MediaPipeBlendshapesConfig):
        if config is MediaPipeBlendshapesConfig and "max_faces" in fields:
            continue
        with pytest.raises(ConfigError) as caught:
            config(**fields)
        assert str(caught.value) == message


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (FrameStream(height=64, width=63), "width 63 is too small; give frames of at least 64 pixels"),
        (
            FrameStream(height=64, width=64, channels=("gray",)),
            "channels ('gray',) are not accepted; accepts ('r', 'g', 'b')",
        ),
        (FrameStream(height=64, width=64, unit="relative"), "unit 'relative' is not accepted; accepts 'intensity'"),
    ],
)
def test_streams_that_the_extractor_refuses(stream: FrameStream, message: str) -> None:
    with pytest.raises(StreamError) as caught:
        MediaPipeBlendshapesConfig().output(stream)
    assert str(caught.value) == message
