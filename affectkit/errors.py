"""Every exception and warning that affectkit raises, and the one grammar that their messages follow.

    AffectkitError
    ├── ConfigError (ValueError)            a config, pipeline or file holds a wrong value
    │   └── StreamError                     a component got a stream that it does not accept
    ├── SpecError (TypeError)               a component is declared wrongly by its plugin
    ├── PluginError (RuntimeError)          a plugin failed, with `AFFECTKIT_STRICT_PLUGINS=1`
    ├── RegistryError (LookupError)         a name that no plugin provides, or several do
    │   └── AmbiguousNameError
    ├── MissingDependencyError (ImportError)
    ├── ArtifactError (ValueError)          a saved model that can't be loaded as it is
    ├── WeightsError (OSError)              published weights that can't be had, or are not what was published
    └── InputError (ValueError)             data handed to a built model, or a video, is not what it expects

A message reads `path: fact; suggestion`: lower case, values in `repr`, at most ten candidates.
"""

from __future__ import annotations

from collections.abc import Iterable

MAX_CANDIDATES = 10


class AffectkitError(Exception):
    """Base of everything that affectkit raises on purpose."""


# each class also derives from the built-in that such an error would have been, so plain `except ValueError` catches it
class ConfigError(AffectkitError, ValueError):
    """A config, a pipeline or a pipeline file holds a value that can't be right.

    Attributes:
        path: where, in config notation (`branches.flow.motion[0].alpha`); empty until a caller knows it.
        fact: what is wrong, with the value.
        suggestion: what would be right; may be empty.
    """

    def __init__(self, fact: str, suggestion: str = "", *, path: str = "") -> None:
        super().__init__(compose(path, fact, suggestion))
        self.path, self.fact, self.suggestion = path, fact, suggestion

    def at(self, path: str) -> ConfigError:
        """The same error, of the same class, with `path` in front of the path that it has."""
        # not ConfigError(...): a StreamError has to stay one on its way up
        return type(self)(self.fact, self.suggestion, path=join(path, self.path))


class StreamError(ConfigError):
    """A component was offered a stream (channels, unit, size, steps, width) that it does not accept."""


class SpecError(AffectkitError, TypeError):
    """A component or preset is declared in a way that can't work; the plugin's author has to mend it."""


class PluginError(AffectkitError, RuntimeError):
    """A plugin failed to load, and strict loading was asked for; or the registry was used too early."""


class RegistryError(AffectkitError, LookupError):
    """No component, preset or config class of that name is known."""


class AmbiguousNameError(RegistryError):
    """Several plugins provide this bare name."""


class MissingDependencyError(AffectkitError, ImportError):
    """A component needs an optional package that is not installed."""


class ArtifactError(AffectkitError, ValueError):
    """A saved model can't be read, or is not what was saved."""


class WeightsError(AffectkitError, OSError):
    """Published weights can't be found or fetched, or their hash is not the published one."""


class InputError(AffectkitError, ValueError):
    """Data given to a model or read from a file is not what the pipeline expects."""


class PluginWarning(UserWarning):
    """A plugin could not be loaded; the rest works."""


class FallbackWarning(UserWarning):
    """Something less good stands in for what can't be had on this machine."""


class CacheWarning(UserWarning):
    """A kept result can't be read or written; it is computed as if there were none."""


class DataWarning(UserWarning):
    """Data lack something that a result will suffer from."""


class LeftOutWarning(UserWarning):
    """A member of an ensemble, or a whole model, gave no finite numbers, and was left out where it did not."""


class UntrainedWarning(UserWarning):
    """A pipeline without trained weights was run: its scores mean nothing."""


class SyntheticWeightsWarning(UserWarning):
    """A pipeline was run whose weights were trained on synthetic faces."""


# not DeprecationWarning: Python hides that one from users, and it is users who have to rewrite their pipeline files
class RenamedWarning(FutureWarning):
    """A component is still found under its old name, for now."""


def compose(path: str, fact: str, suggestion: str = "") -> str:
    """`path: fact; suggestion`, leaving out what is empty."""
    text = f"{path}: {fact}" if path else fact
    return f"{text}; {suggestion}" if suggestion else text


def join(*parts: str) -> str:
    """Join pieces of a config path: `join("branches.flow", "motion[0]")`, `join("motion", "[0]")`."""
    path = ""
    for part in parts:
        # an index belongs to the name before it: `motion[0]`, not `motion.[0]`
        if part and path and not part.startswith("["):
            path += "."
        path += part
    return path


def is_below(path: str, parent: str) -> bool:
    """Whether a config path is `parent`, or a part of what is there."""
    return path == parent or path.startswith((f"{parent}.", f"{parent}["))


def listed(candidates: Iterable[object], limit: int = MAX_CANDIDATES) -> str:
    """Candidates in `repr`, comma-separated, at most `limit` of them, then how many more there are."""
    items = list(candidates)
    text = ", ".join(repr(item) for item in items[:limit])
    return f"{text} and {len(items) - limit} more" if len(items) > limit else text


def unlike_targets(given: Iterable[str], own: Iterable[str]) -> str:
    """How targets that some weights were trained for differ from those of a model, and what would be right."""
    theirs, ours = list(given), list(own)
    hint = "use heads with the same targets in the same order"
    for place, (one, other) in enumerate(zip(theirs, ours, strict=False), start=1):
        if one != other:
            return f"has {one!r} at place {place} of {len(theirs)}, the model {other!r}; {hint}"
    return f"has {len(theirs)} targets, the model {len(ours)}; {hint}"


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate that `name` was probably meant to be, or None."""
    import difflib  # only an error needs it

    close = difflib.get_close_matches(name, list(candidates), n=1, cutoff=0.6)
    return close[0] if close else None


def did_you_mean(name: str, candidates: Iterable[str], *, noun: str) -> str:
    """`did you mean 'x'? <noun>: 'a', 'b'`, without the question when nothing is near."""
    known = list(candidates)
    if not known:
        return f"there are no {noun}"
    close = nearest(name, known)
    listing = f"{noun}: {listed(known)}"
    return f"did you mean {close!r}? {listing}" if close else listing
