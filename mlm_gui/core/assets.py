"""The files that are shipped with the program."""

from pathlib import Path

_FOLDERS = (Path(__file__).parents[2] / "assets", Path(__file__).parents[1] / "assets")
ASSETS = next((folder for folder in _FOLDERS if folder.is_dir()), _FOLDERS[0])
"""Folder of the starter model, the samples and the scripts.

It is beside the package in a checkout, and inside the package when installed.
"""
STARTER = "starter"
"""Name of the bundled model."""
