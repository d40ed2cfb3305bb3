"""`affectkit data`: commands on datasets."""

from __future__ import annotations

from affectkit.cli import data_check, data_make, data_unpack

SUMMARY = "check a published dataset on this disk, unpack one, or make a synthetic one with its layout"
COMMANDS = (data_check, data_make, data_unpack)
