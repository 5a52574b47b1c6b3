"""What comes with the program."""

from pathlib import Path

_FOLDERS = (Path(__file__).parents[2] / "assets", Path(__file__).parents[1] / "assets")
ASSETS = next((folder for folder in _FOLDERS if folder.is_dir()), _FOLDERS[0])
"""The folder of the starter, the samples and the scripts: beside the package in a checkout, inside it when installed."""
STARTER = "starter"
"""The name of the bundled model."""
