"""Annotation: label sets, records of datasets and readers."""
