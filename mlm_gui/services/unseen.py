"""Which paragraphs of a run's text are kept unseen: drawn once, kept in the run's folder, and drawn again when that record is missing or damaged."""

import base64
import contextlib
import hashlib
import json
from pathlib import Path

import numpy as np

from mlm_gui.core.documents import Corpus
from mlm_gui.services.store import write_whole


def write_unseen(path: Path, corpus: Corpus, share: float, seed: int, is_unseen: np.ndarray) -> None:
    """Keeps the choice, bool [N], with what it was drawn from. Raises OSError."""
    bits = np.packbits(is_unseen).tobytes()
    record = {**_drawn_from(corpus, share, seed), "unseen": base64.b64encode(bits).decode(), "sha256": hashlib.sha256(bits).hexdigest()}
    write_whole(path, json.dumps(record))


def read_unseen(path: Path, corpus: Corpus, share: float, seed: int) -> np.ndarray:
    """bool [N], as `Corpus.unseen`; from the record where there is a sound one. Raises UserError when the text cannot be split."""
    expected = _drawn_from(corpus, share, seed)
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):  # whatever is wrong with the record, it can be made again
        record = json.loads(path.read_text(encoding="utf-8"))
        bits = base64.b64decode(record["unseen"])
        if {name: record[name] for name in expected} == expected and record["sha256"] == hashlib.sha256(bits).hexdigest():
            return np.unpackbits(np.frombuffer(bits, np.uint8), count=expected["num_paragraphs"]).astype(bool)
    is_unseen = corpus.unseen(share, seed)
    with contextlib.suppress(OSError):  # a folder that cannot be written: it is drawn again the next time
        write_unseen(path, corpus, share, seed, is_unseen)
    return is_unseen


def _drawn_from(corpus: Corpus, share: float, seed: int) -> dict:
    return {"fingerprint": corpus.fingerprint, "num_paragraphs": len(corpus.paragraphs), "held_out": share, "seed": seed}
