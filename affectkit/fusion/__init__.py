"""Standard fusions: several feature sequences of one clock in, one out."""
