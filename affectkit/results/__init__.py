"""Tables of what was scored."""
