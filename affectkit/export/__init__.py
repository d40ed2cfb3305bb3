"""Pipelines as ONNX files: written, compared with PyTorch, and run again."""
