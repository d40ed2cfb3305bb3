"""What was published, and what a report says of an index."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from affectkit.datasets.base import ClipsConfig, PublishedConfig
from affectkit.datasets.cas_me_3 import CasMeCubedConfig
from affectkit.datasets.casme2 import Casme2Config
from affectkit.datasets.checking import check_index
from affectkit.datasets.dfme import DfmeConfig
from affectkit.datasets.megc2019 import Megc2019Config
from affectkit.datasets.samm import SammConfig
from affectkit.datasets.smic import SmicConfig
from affectkit.records import Event, ImageSource, Index, Issue, Labels, Sample
from affectkit.registry import default_registry


def published(config: Any) -> dict[str, int | None]:
    """What a report of an empty index says was published."""
    return {row.what: row.published for row in check_index(Index(samples=()), config).rows}


@pytest.mark.parametrize(
    ("config", "classes"),
    [
        (Casme2Config(), {"negative": 90, "positive": 32, "surprise": 25}),
        (Casme2Config(classes="five"),
         {"happiness": 32, "disgust": 63, "repression": 27, "surprise": 25, "others": 99}),
        (SammConfig(), {"negative": 92, "positive": 26, "surprise": 15}),
        (SammConfig(classes="five"), {"anger": 57, "contempt": 12, "happiness": 26, "other": 26, "surprise": 15}),
        (SmicConfig(), {"negative": 70, "positive": 51, "surprise": 43}),
        (CasMeCubedConfig(), {"negative": 457, "positive": 55, "surprise": 187}),
        (Megc2019Config(), {"negative": 250, "positive": 109, "surprise": 83}),
    ],
)  # fmt: skip
def test_classes_that_the_published_words_give(config: Any, classes: dict[str, int]) -> None:
    counts = published(config)
    assert {name.removeprefix("of class "): count for name, count in counts.items() if "of class" in name} == classes


@pytest.mark.parametrize("config", [Casme2Config(), SammConfig(), SmicConfig(), DfmeConfig(), DfmeConfig(split="testB"),
                                    CasMeCubedConfig(), CasMeCubedConfig(part="C")])  # fmt: skip
def test_published_words_add_up(config: ClipsConfig) -> None:
    assert sum(config.published.words.values()) == config.published.samples
    assert all(word in config.label_map.words for word in config.published.words)


def test_published_counts_say_whose_they_are() -> None:
    for component in default_registry().components("dataset"):
        config = component.spec.example_config()
        if isinstance(config, PublishedConfig) and component.spec.name != "clip-table":
            assert config.published.source


def test_a_report() -> None:
    def sample(key: str, label: int | None) -> Sample:
        return Sample(
            dataset="casme2",
            subject="casme2/01",
            key=key,
            source=ImageSource(path=None),  # type: ignore[arg-type]
            events=(Event(kind="micro-expression", onset=0, offset=1, label="Disgust"),),
            targets={"emotion": Labels(np.array(label or 0), np.array(label is not None))},
            raw={"AU": "4", "note": ""},
        )

    issues = (
        Issue(level="info", where="t row 1", fact="apex 3 is odd"),
        Issue(level="error", where="t row 2", fact="no folder 'a'"),
        Issue(level="error", where="t row 3", fact="no folder 'b'"),
    )
    report = check_index(Index(samples=(sample("a", 0), sample("b", None)), issues=issues), Casme2Config())
    counts = {row.what: (row.found, row.difference) for row in report.rows}
    assert counts["samples"] == (2, "-253")
    assert counts["labeled disgust"] == (2, "-61")
    assert counts["of class negative"] == (1, "-89")
    assert counts["events micro-expression"] == (2, "")
    assert dict(report.fields) == {"AU": 2}
    assert dict(report.levels) == {"error": 2, "warning": 0, "info": 1}
    assert [issue.where for issue in report.issues] == ["t row 2", "t row 3", "t row 1"]
    assert [len(group.issues) for group in report.groups] == [2, 1]
