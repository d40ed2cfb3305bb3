"""From a video file to what a pipeline takes: frames on the container's clock, faces, clips, samples."""
