"""Tensor operations that several components share; every fast one lies beside its slow `*_ref` twin."""
