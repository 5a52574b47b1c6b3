"""What comes with the program."""

from pathlib import Path

ASSETS = next(folder for folder in (Path(__file__).parents[2] / "assets", Path(__file__).parents[1] / "assets") if folder.is_dir())
"""The folder of the starter, the samples and the scripts: beside the package in a checkout, inside it when installed."""
STARTER = "starter"
"""The name of the bundled model."""
