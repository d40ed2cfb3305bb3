"""Fields of a config as people read them: type, default, domain of a dial, and the line of the docstring."""

from __future__ import annotations

import dataclasses
import inspect
import re
from typing import Any

from affectkit.fields import describe_type, dial_domain, field_types

_ENTRY = re.compile(r"^([a-z_][\w]*(?:, [a-z_][\w]*)*): (.*)$")


@dataclasses.dataclass(frozen=True)
class FieldLine:
    """One field; `default` is text, `required` for a field without one."""

    name: str
    type: str
    default: str
    domain: str
    doc: str


def describe_fields(config: type[Any], example: Any = None) -> list[FieldLine]:
    """Every field of a config class, in order; a required one shows the value that it has in `example`."""
    types, docs = field_types(config), field_docs(config)
    lines = []
    for field in dataclasses.fields(config):
        if field.default is not dataclasses.MISSING:
            default = repr(field.default)
        elif field.default_factory is not dataclasses.MISSING:
            default = repr(field.default_factory())
        else:
            default = "required" if example is None else f"required, such as {getattr(example, field.name)!r}"
        domain = dial_domain(field)
        lines.append(
            FieldLine(
                name=field.name,
                type=describe_type(types[field.name]),
                default=default,
                domain="" if domain is None else str(domain),
                doc=docs.get(field.name, ""),
            )
        )
    return lines


def field_docs(config: type[Any]) -> dict[str, str]:
    """What the `Attributes:` sections of a class and its bases say, by field; the nearest class wins."""
    docs: dict[str, str] = {}
    for cls in reversed(config.__mro__):
        docs |= _section(inspect.cleandoc(cls.__doc__ or ""))
    return docs


def _section(text: str) -> dict[str, str]:
    docs: dict[str, str] = {}
    names: list[str] = []
    inside = False
    for line in text.splitlines():
        if not line.startswith(" "):
            # A section ends where the indentation does; blank lines within it do not count.
            inside = line == "Attributes:" or (inside and not line)
            continue
        entry = _ENTRY.match(line.strip()) if inside and len(line) - len(line.lstrip()) == 4 else None
        if entry:
            names = entry[1].split(", ")
            docs |= dict.fromkeys(names, entry[2])
        elif inside:
            docs |= {name: f"{docs[name]} {line.strip()}" for name in names}
    return docs
