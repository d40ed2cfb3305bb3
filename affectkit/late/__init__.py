"""Standard late fusions: rules that join the predictions of an ensemble's members."""
