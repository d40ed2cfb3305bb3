"""Standard spotters."""
