"""Standard task heads, and the losses and poolings that they share."""
