"""`python -m affectkit` is the command `affectkit`."""

from __future__ import annotations

import sys

from affectkit.cli import main

if __name__ == "__main__":
    sys.exit(main())
