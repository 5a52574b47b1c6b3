"""Which paragraphs of a run's text are held out.

They are drawn once and kept in the run's folder. When that record is missing or damaged they are
drawn again.
"""

import base64
import contextlib
import hashlib
import json
from pathlib import Path
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from mlm_gui.core.corpus.corpus import Corpus
from mlm_gui.core.corpus.near_duplicates import sparseness
from mlm_gui.errors import UserError
from mlm_gui.services.storage.files import write_whole


class _Source(TypedDict):
    """What a choice was drawn from."""

    fingerprint: str
    num_paragraphs: int
    held_out: float
    seed: int


def write_held_out(
    path: Path, corpus: Corpus, share: float, seed: int, is_held_out: NDArray[np.bool_]
) -> None:
    """Keeps the choice, bool [N], with what it was drawn from. Raises OSError."""
    bits = np.packbits(is_held_out).tobytes()
    record = {
        **_source_of(corpus, share, seed),
        "unseen": base64.b64encode(bits).decode(),
        "sha256": hashlib.sha256(bits).hexdigest(),
    }
    write_whole(path, json.dumps(record))


def read_held_out(
    path: Path, corpus: Corpus, share: float, seed: int, has_begun: bool = False
) -> NDArray[np.bool_]:
    """The choice, bool [N]; from the record where there is a sound one.

    Raises UserError when the text cannot be split, and when a run that `has_begun` may have been
    split in another way. Before there were records, long texts were compared by other shingles.
    """
    recorded = _recorded(path, _source_of(corpus, share, seed))
    if recorded is not None:
        return recorded
    if has_begun and not path.exists() and sparseness(corpus.paragraphs) > 1:
        raise UserError(
            "This run cannot go on, and cannot be examined again.",
            "There is no record of what it kept unseen; "
            "an earlier version of the program chose other paragraphs of so long a text.",
            "Start a new run from its model, or from the text.",
        )
    is_held_out = corpus.is_held_out(share, seed)
    with contextlib.suppress(OSError):  # in a read-only folder it is drawn again the next time
        write_held_out(path, corpus, share, seed, is_held_out)
    return is_held_out


def _recorded(path: Path, source: _Source) -> NDArray[np.bool_] | None:
    """The choice that was kept; None when it is missing, damaged or of another source."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        bits = base64.b64decode(record["unseen"])
        is_of_source = {name: record[name] for name in source} == source
        is_whole = record["sha256"] == hashlib.sha256(bits).hexdigest()
    except (
        OSError,
        ValueError,
        TypeError,
        KeyError,
        RecursionError,
    ):  # it can be drawn again, whatever it was
        return None
    if not is_of_source or not is_whole:
        return None
    packed = np.frombuffer(bits, np.uint8)
    return np.unpackbits(packed, count=source["num_paragraphs"]).astype(bool)


def _source_of(corpus: Corpus, share: float, seed: int) -> _Source:
    return {
        "fingerprint": corpus.fingerprint,
        "num_paragraphs": len(corpus.paragraphs),
        "held_out": share,
        "seed": seed,
    }
