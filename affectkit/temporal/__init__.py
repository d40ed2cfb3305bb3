"""Standard temporal encoders: a feature sequence in, one of the same times out."""
