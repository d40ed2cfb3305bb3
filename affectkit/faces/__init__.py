"""Standard face detectors."""
