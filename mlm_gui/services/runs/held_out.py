"""Which paragraphs of a run's text are kept unseen: drawn once, kept in the run's folder, and drawn again when that record is missing or damaged."""

import base64
import contextlib
import hashlib
import json
from pathlib import Path

import numpy as np

from mlm_gui.core.corpus.corpus import Corpus
from mlm_gui.core.corpus.near_duplicates import sparseness
from mlm_gui.errors import UserError
from mlm_gui.services.storage.files import write_whole


def write_held_out(
    path: Path, corpus: Corpus, share: float, seed: int, is_held_out: np.ndarray
) -> None:
    """Keeps the choice, bool [N], with what it was drawn from. Raises OSError."""
    bits = np.packbits(is_held_out).tobytes()
    record = {
        **_drawn_from(corpus, share, seed),
        "unseen": base64.b64encode(bits).decode(),
        "sha256": hashlib.sha256(bits).hexdigest(),
    }
    write_whole(path, json.dumps(record))


def read_held_out(
    path: Path, corpus: Corpus, share: float, seed: int, has_begun: bool = False
) -> np.ndarray:
    """bool [N], as `Corpus.is_held_out`; from the record where there is a sound one. Raises UserError when the text cannot be split, and when a run that
    `has_begun` may have been split in another way: before there were records, other runs of words of a long text were looked at.
    """
    expected = _drawn_from(corpus, share, seed)
    with contextlib.suppress(
        OSError, ValueError, TypeError, KeyError
    ):  # whatever is wrong with the record, it can be made again
        record = json.loads(path.read_text(encoding="utf-8"))
        bits = base64.b64decode(record["unseen"])
        if {name: record[name] for name in expected} == expected and record[
            "sha256"
        ] == hashlib.sha256(bits).hexdigest():
            return np.unpackbits(
                np.frombuffer(bits, np.uint8), count=expected["num_paragraphs"]
            ).astype(bool)
    if has_begun and not path.exists() and sparseness(corpus.paragraphs) > 1:
        raise UserError(
            "This run cannot go on, and cannot be examined again.",
            "There is no record of what it kept unseen; an earlier version of the program chose other paragraphs of so long a text.",
            "Start a new run from its model, or from the text.",
        )
    is_held_out = corpus.is_held_out(share, seed)
    with contextlib.suppress(
        OSError
    ):  # a folder that cannot be written: it is drawn again the next time
        write_held_out(path, corpus, share, seed, is_held_out)
    return is_held_out


def _drawn_from(corpus: Corpus, share: float, seed: int) -> dict:
    return {
        "fingerprint": corpus.fingerprint,
        "num_paragraphs": len(corpus.paragraphs),
        "held_out": share,
        "seed": seed,
    }
