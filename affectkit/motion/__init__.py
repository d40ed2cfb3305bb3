"""Motion front-ends: frames in, frames out."""
