"""Masked-language modelling itself: torch and transformers, no page, no threads, no globals.

Other rooms import modules that need torch inside the functions that use them, so that the page
is served before torch is loaded.
"""
