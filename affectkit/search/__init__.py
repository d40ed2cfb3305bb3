"""Evolutionary search over a model's dials and fields, on Optuna, which the extra `search` installs."""

from __future__ import annotations

from affectkit.search.candidates import Candidate as Candidate
from affectkit.search.inner import Inner as Inner, prepare_inner as prepare_inner, search_fold as search_fold
from affectkit.search.running import SearchResult as SearchResult, join_search as join_search, search as search
from affectkit.search.space import SearchSpace as SearchSpace, read_space as read_space

__all__ = [
    "Candidate", "Inner", "SearchResult", "SearchSpace", "join_search", "prepare_inner", "read_space", "search",
    "search_fold",
]  # fmt: skip
