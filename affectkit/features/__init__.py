"""Feature extractors: frames in, one vector per frame out."""
