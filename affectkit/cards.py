"""The model card that lies in every saved model: what it is, what went into it, and what its scores do not mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from affectkit.graphs import ENDING, graphs_of

if TYPE_CHECKING:
    from affectkit.model import Model

_LIMITS = """\
## What the scores do not mean

They describe how a face looks to a model, not what a person feels or intends. Error rates differ between people,
groups and cultures; nothing in this file says that they were measured for yours. Measure on people like those you
will use it on, with their consent, and check the law: emotion recognition at work and in education is prohibited or
restricted in some places.
"""


def model_card(model: Model, data: dict[str, Any], notes: str) -> str:
    """Markdown text of the card.

    Arguments:
        model: the model that is saved.
        data: content of its `pipeline.json`.
        notes: the caller's own words on data, protocol and results.
    """
    count = sum(parameter.numel() for parameter in model.parameters())
    known = {name: f", computed by the encoder {digest[:12]}" for name, digest in model.encoders.items()}
    inputs = [f"- `{name}`: {stream}{known.get(name, '')}" for name, stream in model.config.input_streams().items()]
    outputs = [f"- `{name}`: {stream}" for name, stream in model.traced.outputs.items()]
    # stored features have no component, only the note that they are
    stages = [
        f"- `{s.path}`: {', '.join(part for part in (s.component, s.note) if part not in ('', '-'))}"
        for s in model.traced
    ]
    requires = [f"- {item['distribution']} {item['version']}".rstrip() for item in data["requires"]]
    # of weights that somebody gave as a file, nothing but name and hash is known
    provenance = [
        f"- {item['name']}: {item.get('url') or 'no address'}, license {item.get('license') or 'not known'}, "
        f"training data: {item.get('training_data_terms') or 'not known'}"
        for item in data["weights"]["provenance"]
    ]
    exported = [
        f"- `{path}`: `{path}{ENDING}`, {graph.facts.numbers}, by {graph.engine} in {graph.precision}"
        for path, graph in graphs_of(model.config).items()
    ]
    sections = [
        "# Model card",
        f"Saved by affectkit {data['affectkit']}; {count:,} parameters.",
        _section("Inputs", inputs),
        _section("Outputs", outputs or ["- events only"]),
        _section("Stages", stages),
        *([_section("Exported members", exported)] if exported else []),
        _section("Needs", requires),
        _section("Published weights in it", provenance or ["- none recorded"]),
        _section("Training and results", [notes or "Not recorded: `save(notes=...)` would say it."]),
        _LIMITS,
    ]
    return "\n\n".join(section.rstrip() for section in sections) + "\n"


def _section(title: str, lines: list[str]) -> str:
    return "\n".join([f"## {title}", "", *lines])
