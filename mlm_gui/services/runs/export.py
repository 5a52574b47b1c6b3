"""A run's model as one zip file to take away."""

import hashlib
import re
import secrets
import zipfile
from pathlib import Path

from mlm_gui.errors import UserError
from mlm_gui.services.runs.run import Run

LONGEST_NAME = 60
"""Characters of the name of a zip file."""


def export_zip(run: Run, folder: Path) -> Path:
    """Writes the model with its tokenizer and card as a zip under `folder`; returns its path.

    Raises UserError when there is no model.
    """
    if not run.has_model:
        raise UserError(
            "There is no model to download yet.",
            "The run has not saved one.",
            "Wait until it ends, or press Stop and save.",
        )
    job = run.sound_job()
    name = re.sub(r"[\W_]+", "-", job.name).strip("-").lower()[:LONGEST_NAME] or "model"
    # Whoever knows the run's id only cannot guess the address.
    secret = hashlib.sha256(f"{run.id} {job.owner}".encode()).hexdigest()
    path = folder / run.id / secret / f"{name}.zip"
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_file() and path.stat().st_mtime > run.model_folder.stat().st_mtime:
        path.touch()  # what is asked for does not count as old
        return path
    aside = path.with_name(f"{secrets.token_hex(4)}.partial")  # two pages may ask at once
    with zipfile.ZipFile(aside, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(run.model_folder.iterdir()):
            archive.write(file, f"{name}/{file.name}")
    aside.replace(path)
    return path
