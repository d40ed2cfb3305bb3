"""The weights store: where published files are looked for, and that nothing else than what was published gets in."""

from __future__ import annotations

import hashlib
import http.client
import io
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from affectkit.errors import WeightsError
from affectkit.specs import Weights
from affectkit.weights import cache_folder, fetch_weights, find_weights, sha256, verify

CONTENT = b"published weights " * 100
DIGEST = hashlib.sha256(CONTENT).hexdigest()
URL = "https://example.org/files/face.safetensors"
YUNET = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"


def record(**fields: Any) -> Weights:
    defaults: dict[str, Any] = {
        "name": "face", "url": URL, "sha256": DIGEST, "size": len(CONTENT),
        "license": "MIT", "training_data_terms": "synthetic",
    }  # fmt: skip
    return Weights(**defaults | fields)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, no folder of weights, and no network."""
    monkeypatch.setenv("AFFECTKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("AFFECTKIT_WEIGHTS", raising=False)
    serve(monkeypatch, urllib.error.URLError("no network in tests"))
    return tmp_path / "cache" / "weights"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that `AFFECTKIT_WEIGHTS` names."""
    path = tmp_path / "mine"
    path.mkdir()
    monkeypatch.setenv("AFFECTKIT_WEIGHTS", str(path))
    return path


class Response(io.BytesIO):
    """What a server sends; breaks after `breaks_at` bytes, if that is given."""

    def __init__(self, content: bytes, error: BaseException | None = None) -> None:
        super().__init__(content)
        self.error = error

    def read(self, size: int | None = -1, /) -> bytes:
        chunk = super().read(min(size or 0, 1000))
        if not chunk and self.error is not None:
            raise self.error
        return chunk


def serve(monkeypatch: pytest.MonkeyPatch, answer: bytes | Response | BaseException) -> list[str]:
    """Make every download get `answer`; returns the list of what is asked for."""
    asked: list[str] = []

    def urlopen(url: str, timeout: float) -> Response:
        asked.append(url)
        if isinstance(answer, BaseException):
            raise answer
        return answer if isinstance(answer, Response) else Response(answer)

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    return asked


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(WeightsError) as caught:
        call()
    return str(caught.value)


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_nowhere_is_none() -> None:
    assert find_weights(record(), "affectkit-face") is None


def test_found_by_name_and_by_hash(folder: Path) -> None:
    (folder / "another.bin").write_bytes(b"x" * len(CONTENT))
    (folder / "sub").mkdir()
    assert find_weights(record(), "affectkit-face") is None
    (folder / "renamed.bin").write_bytes(CONTENT)
    assert find_weights(record(), "affectkit-face") == folder / "renamed.bin"
    (folder / "face.safetensors").write_bytes(CONTENT)
    assert find_weights(record(), "affectkit-face") == folder / "face.safetensors"
    assert find_weights(record(url=f"{URL}?download=1"), "affectkit-face") == folder / "face.safetensors"


def test_a_file_of_that_name_with_another_hash(folder: Path) -> None:
    named = folder / "face.safetensors"
    named.write_bytes(b"other")
    other = hashlib.sha256(b"other").hexdigest()
    assert refusal(lambda: find_weights(record(), "affectkit-face")) == (
        f"{named}: sha256 is {other}, published is {DIGEST}; remove it and get it again"
    )
    # the name may be another component's, as long as the right file is there too
    (folder / "renamed.bin").write_bytes(CONTENT)
    assert find_weights(record(), "affectkit-face") == folder / "renamed.bin"


def test_a_file_of_that_name_does_not_hide_what_is_cached(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, CONTENT)
    cached = fetch_weights(record(), "affectkit-face")
    (folder / "face.safetensors").write_bytes(b"another component's")
    assert find_weights(record(), "affectkit-face") == cached


def test_the_named_folder_has_to_be_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "nowhere")
    monkeypatch.setenv("AFFECTKIT_WEIGHTS", path)
    assert refusal(lambda: find_weights(record(), "affectkit-face")) == (
        f"AFFECTKIT_WEIGHTS: {path!r} is no folder; name one, or unset it"
    )


def test_fetched_once_then_cached(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = serve(monkeypatch, CONTENT)
    steps: list[tuple[int, int]] = []
    path = fetch_weights(record(), "affectkit-face", progress=lambda done, size: steps.append((done, size)))
    assert path == cache / "affectkit-face" / f"{DIGEST[:12]}-face.safetensors"
    assert path.read_bytes() == CONTENT
    assert steps == [(1000, 1800), (1800, 1800)]
    assert fetch_weights(record(), "affectkit-face") == path
    assert find_weights(record(), "affectkit-face") == path
    assert asked == [URL]
    assert files(cache) == [f"affectkit-face/{path.name}"]


def test_silence_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds: list[float] = []

    def urlopen(url: str, timeout: float) -> Response:
        seconds.append(timeout)
        raise TimeoutError("timed out")

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    message = f"{URL}: download failed (timed out); put the file into a folder and name that in AFFECTKIT_WEIGHTS"
    assert refusal(lambda: fetch_weights(record(), "affectkit-face")) == message
    assert refusal(lambda: fetch_weights(record(), "affectkit-face", timeout=2.5)) == message
    assert seconds == [60.0, 2.5]


def test_what_is_there_is_not_fetched(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = serve(monkeypatch, CONTENT)
    (folder / "face.safetensors").write_bytes(CONTENT)
    assert fetch_weights(record(), "affectkit-face") == folder / "face.safetensors"
    assert asked == []


def test_a_damaged_cache_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, CONTENT)
    path = fetch_weights(record(), "affectkit-face")
    path.write_bytes(b"damaged")
    damaged = hashlib.sha256(b"damaged").hexdigest()
    message = f"{path}: sha256 is {damaged}, published is {DIGEST}; remove it and get it again"
    assert refusal(lambda: fetch_weights(record(), "affectkit-face")) == message
    assert refusal(lambda: verify(path, record())) == message


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (urllib.error.URLError("name or service not known"), "name or service not known"),
        (TimeoutError("timed out"), "timed out"),
        (http.client.BadStatusLine("garbage"), "garbage"),
        (Response(CONTENT[:500], ConnectionResetError("connection reset")), "connection reset"),
        (
            Response(CONTENT[:500], http.client.IncompleteRead(b"", 1300)),
            "IncompleteRead(0 bytes read, 1300 more expected)",
        ),
    ],
)
def test_a_download_that_breaks(
    answer: Response | BaseException, reason: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(monkeypatch, answer)
    assert refusal(lambda: fetch_weights(record(), "affectkit-face")) == (
        f"{URL}: download failed ({reason}); put the file into a folder and name that in AFFECTKIT_WEIGHTS"
    )
    assert files(cache) == []


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (CONTENT[:-1], f"{URL}: got 1799 of 1800 bytes; try again"),
        (CONTENT + b"x" * 5000, f"{URL}: got 2000 of 1800 bytes; try again"),
    ],
)
def test_a_download_of_another_length(sent: bytes, message: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, sent)
    assert refusal(lambda: fetch_weights(record(), "affectkit-face")) == message
    assert files(cache) == []


def test_a_download_of_something_else(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = b"y" * len(CONTENT)
    serve(monkeypatch, other)
    message = refusal(lambda: fetch_weights(record(), "affectkit-face"))
    name, _, rest = message.partition(": ")
    assert Path(name).parent == cache / "affectkit-face"
    found = hashlib.sha256(other).hexdigest()
    assert rest == f"sha256 is {found}, published is {DIGEST}; remove it and get it again"
    assert files(cache) == []


def test_an_interrupted_download_leaves_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, Response(CONTENT[:500], KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        fetch_weights(record(), "affectkit-face")
    assert files(cache) == []
    serve(monkeypatch, CONTENT)
    assert fetch_weights(record(), "affectkit-face").read_bytes() == CONTENT


@pytest.mark.parametrize("provider", ["..", "../outside", "a/b", "", ".hidden"])
def test_a_provider_that_leaves_the_folder(provider: str) -> None:
    assert refusal(lambda: fetch_weights(record(), provider)) == (
        f"weights: provider {provider!r} may leave the weights folder; use letters, digits, . _ and -"
    )


@pytest.mark.parametrize(("tail", "name"), [("..", ".."), ("%2e%2e", "%2e%2e"), ("a..b", "a..b"), ("a b", "a b")])
def test_a_url_whose_name_leaves_the_folder(tail: str, name: str) -> None:
    assert refusal(lambda: fetch_weights(record(url=f"https://example.org/{tail}"), "affectkit-face")) == (
        f"weights: file name {name!r} may leave the weights folder; use letters, digits, . _ and -"
    )


def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    folder = tmp_path / name
    (folder / "data").mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "data" / "face.safetensors").write_bytes(CONTENT)
    (folder / "broken.safetensors").write_bytes(b"broken")
    monkeypatch.syspath_prepend(tmp_path)


def test_a_file_that_a_package_ships(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package(tmp_path, monkeypatch, "toy_weights_a")
    shipped = record(url="package:toy_weights_a/data/face.safetensors")
    wanted = tmp_path / "toy_weights_a" / "data" / "face.safetensors"
    assert find_weights(shipped, "toy") == wanted
    assert fetch_weights(shipped, "toy") == wanted
    mine = tmp_path / "mine"
    mine.mkdir()
    monkeypatch.setenv("AFFECTKIT_WEIGHTS", str(mine))
    assert find_weights(shipped, "toy") == wanted
    (mine / "face.safetensors").write_bytes(CONTENT)
    assert find_weights(shipped, "toy") == mine / "face.safetensors"


def test_a_package_without_that_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package(tmp_path, monkeypatch, "toy_weights_b")

    def message(url: str) -> str:
        return refusal(lambda: fetch_weights(record(url=url), "toy"))

    url = "package:toy_weights_b/data/other.safetensors"
    assert message(url) == f"{url}: the package does not hold that file; reinstall the plugin"
    url = "package:no_such_package/face.safetensors"
    assert message(url) == f"{url}: no package 'no_such_package'; reinstall the plugin"
    url = "package:json.tool/face.safetensors"
    assert message(url) == f"{url}: no package 'json.tool'; reinstall the plugin"
    unsafe = "may leave the weights folder; use letters, digits, . _ and -"
    assert message("package:toy_weights_b/../face.safetensors") == f"weights: file name '..' {unsafe}"
    assert message("package:toy_weights_b") == f"weights: file name '' {unsafe}"
    assert message("package:/face.safetensors") == f"weights: package '' {unsafe}"
    broken = tmp_path / "toy_weights_b" / "broken.safetensors"
    assert message("package:toy_weights_b/broken.safetensors") == (
        f"{broken}: sha256 is {sha256(broken)}, published is {DIGEST}; remove it and get it again"
    )


def test_the_cache_folder_of_each_platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("AFFECTKIT_CACHE")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "affectkit"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert cache_folder() == tmp_path / ".cache" / "affectkit"
    monkeypatch.setattr("sys.platform", "darwin")
    assert cache_folder() == tmp_path / "Library" / "Caches" / "affectkit"
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert cache_folder() == tmp_path / "local" / "affectkit"


def test_a_real_detector_is_found_by_its_hash(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFFECTKIT_WEIGHTS", str(shared / "weights"))
    detector = record(url="https://example.org/yunet.onnx", sha256=YUNET, size=232589)
    assert find_weights(detector, "affectkit") == shared / "weights" / "face_detection_yunet_2023mar.onnx"
