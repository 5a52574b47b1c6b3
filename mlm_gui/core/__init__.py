"""Masked-language modelling itself: torch and transformers, no page, no threads, no globals."""
