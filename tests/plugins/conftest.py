"""Plugins in here bring their own tests, which need them installed: tests/test_toy_plugin.py installs and runs them."""

collect_ignore_glob = ["*"]
