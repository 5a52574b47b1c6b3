"""Masked language models: finding, loading, and the padding-free forward pass."""
