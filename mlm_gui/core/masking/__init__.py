"""BERT's masking rule, and everything that explains one application of it."""
