"""Functional metrics: plain values in, plain values out. No torch."""
