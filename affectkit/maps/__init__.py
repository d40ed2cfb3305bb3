"""Standard score maps."""
