"""A run's model as one zip file to take away."""

import hashlib
import re
import secrets
import zipfile
from pathlib import Path

from mlm_gui.errors import UserError
from mlm_gui.services.runs.registry import Run


def export_zip(run: Run, folder: Path) -> Path:
    """Writes the model with its tokenizer and card as a zip under `folder` and returns its path. Raises UserError when there is no model."""
    if not run.has_model:
        raise UserError(
            "There is no model to download yet.",
            "The run has not saved one.",
            "Wait until it ends, or press Stop and keep.",
        )
    name = (
        re.sub(r"[\W_]+", "-", run.job.name if run.job else "").strip("-").lower()[:60] or "model"
    )
    secret = hashlib.sha256(
        f"{run.id} {run.sound_job().owner}".encode()
    ).hexdigest()  # whoever knows the run's id cannot tell the address
    place = folder / run.id / secret
    place.mkdir(parents=True, exist_ok=True)
    path, aside = (
        place / f"{name}.zip",
        place / f"{secrets.token_hex(4)}.partial",
    )  # two pages may ask at once
    if path.is_file() and path.stat().st_mtime > run.model_folder.stat().st_mtime:
        path.touch()  # what is asked for is not old
        return path
    with zipfile.ZipFile(aside, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(run.model_folder.iterdir()):
            archive.write(file, f"{name}/{file.name}")
    aside.replace(path)
    return path
