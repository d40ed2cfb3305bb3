"""Saved models from a hub of models, through `huggingface_hub` (an extra), which caches and resumes."""

from __future__ import annotations

import logging
from pathlib import Path

from affectkit.errors import ArtifactError, MissingDependencyError


def download(repository: str, files: tuple[str, ...], revision: str | None = None) -> Path:
    """Folder in the local cache that holds `files` of a hub repository.

    Raises:
        MissingDependencyError: `huggingface_hub` is not installed.
        ArtifactError: the repository or a file can't be had.
    """
    user = repository.partition("/")[0]
    try:
        import huggingface_hub
    except ImportError as error:
        raise MissingDependencyError(
            f"{repository}: a hub id needs 'huggingface_hub', which is not installed; run pip install "
            f"'affectkit[hub]', or pip install {user} if it is a plugin's preset"
        ) from error
    # Its log repeats for every try what the error says once.
    log = logging.getLogger("huggingface_hub")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        paths = [Path(huggingface_hub.hf_hub_download(repository, name, revision=revision)) for name in files]
    except Exception as error:  # the library raises a dozen classes of its own and its transport's
        raise ArtifactError(
            f"{repository}: can't be had from the hub ({type(error).__name__}); "
            f"check the id and the network, or run pip install {user} if it is a plugin's preset"
        ) from error
    finally:
        log.setLevel(level)
    # the hub's cache has a folder per commit, in which all of these lie
    return paths[0].parent
