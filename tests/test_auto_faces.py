"""Face detector `auto`: which one it becomes, and what it says where that is not the better one."""

from __future__ import annotations

import urllib.error
import urllib.request
import warnings
from pathlib import Path
from typing import Any

import cv2
import pytest

from affectkit.errors import FallbackWarning, WeightsError
from affectkit.faces.auto import SPEC, AutoFacesConfig
from affectkit.faces.yunet import WEIGHTS
from affectkit.testing.examples import face_picture
from tests.faces import check_refusals, photo

ADVICE = "put face_detection_yunet_2023mar.onnx into a folder and name that in AFFECTKIT_WEIGHTS"


@pytest.fixture(autouse=True)
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, float]]:
    """An empty cache and no network; what is asked of it, with the timeout."""
    requests: list[tuple[str, float]] = []

    def urlopen(url: str, timeout: float) -> object:
        requests.append((url, timeout))
        raise urllib.error.URLError("no network in tests")

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    monkeypatch.setenv("AFFECTKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("AFFECTKIT_WEIGHTS", raising=False)
    return requests


def build() -> Any:
    return SPEC.factory(AutoFacesConfig())


def fallback() -> tuple[Any, str]:
    """The detector, and the one warning."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        detector = build()
    (warning,) = caught
    assert warning.category is FallbackWarning
    return detector, str(warning.message)


def test_yunet_where_its_weights_are(shared: Path, monkeypatch: pytest.MonkeyPatch, asked: list[Any]) -> None:
    monkeypatch.setenv("AFFECTKIT_WEIGHTS", str(shared / "weights"))
    detector = build()
    assert detector.chosen == "affectkit/yunet"
    assert detector.is_thread_safe
    assert len(detector.detect(photo(shared / "media" / "multi_face.jpg"))) == 5
    assert asked == []


def test_yunet_where_its_weights_can_be_fetched(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = shared / "weights" / "face_detection_yunet_2023mar.onnx"
    monkeypatch.setattr(urllib.request, "urlopen", lambda url, timeout: file.open("rb"))
    assert build().chosen == "affectkit/yunet"
    assert [path.suffix for path in (tmp_path / "cache").rglob("*") if path.is_file()] == [".onnx"]


def test_haar_without_a_network(asked: list[Any]) -> None:
    detector, message = fallback()
    assert message == (
        f"faces: yunet can't be had ({WEIGHTS.url}: download failed (no network in tests)); "
        f"haar finds faces in its place, fewer and without landmarks: {ADVICE}"
    )
    assert detector.chosen == "affectkit/haar"
    assert not detector.is_thread_safe
    for _ in range(3):
        detector.detect(face_picture())
    # once, and not for long
    assert asked == [(WEIGHTS.url, 5.0)]
    check_refusals(detector)


def test_haar_where_the_file_is_another_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "face_detection_yunet_2023mar.onnx"
    file.write_bytes(b"cut off")
    monkeypatch.setenv("AFFECTKIT_WEIGHTS", str(tmp_path))
    detector, message = fallback()
    assert message == (
        f"faces: yunet can't be had ({file}: sha256 is "
        "117b48570e0122b8c42ee601f86b652c1e747d596b895d4a51c75f11ad852309, published is "
        f"{WEIGHTS.sha256}); haar finds faces in its place, fewer and without landmarks: {ADVICE}"
    )
    assert detector.chosen == "affectkit/haar"


def test_haar_where_the_cache_is_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("AFFECTKIT_CACHE", str(tmp_path / "file"))
    detector, message = fallback()
    assert message.startswith("faces: yunet can't be had ([Errno 20] Not a directory: ")
    assert message.endswith(f"); haar finds faces in its place, fewer and without landmarks: {ADVICE}")
    assert detector.chosen == "affectkit/haar"


def test_neither(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "__version__", "5.0.0")
    monkeypatch.setattr("cv2.data.haarcascades", f"{tmp_path}/")
    with pytest.raises(WeightsError) as caught:
        build()
    assert str(caught.value) == (
        f"faces: no detector can be had, neither yunet ({WEIGHTS.url}: download failed (no network in tests)) nor "
        "haar (needs OpenCV's 'haarcascade_frontalface_default.xml', which OpenCV 5.0.0 does not have); "
        f"{ADVICE}"
    )
