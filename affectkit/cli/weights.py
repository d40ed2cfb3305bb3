"""`affectkit weights`: commands on files of weights."""

from __future__ import annotations

from affectkit.cli import weights_convert

SUMMARY = "make safetensors files of published checkpoints"
COMMANDS = (weights_convert,)
