"""Features of long videos, frame by frame: kept in files, joined by frame or time, cut into segments."""
