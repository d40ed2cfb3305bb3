"""Synthetic trees: one file per dataset. All values are invented."""
