"""Models by name, their downloads, and the masking preview."""
