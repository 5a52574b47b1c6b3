"""Masked-language modelling itself: torch and transformers, no page, no threads, no globals.

Modules that need torch are imported inside the functions that use them, so that the page is served before torch is loaded.
"""
