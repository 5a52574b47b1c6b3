"""`mlm-gui text`: what is in the files."""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING

from mlm_gui.cli.files import gather
from mlm_gui.cli.output import open_studio, print_record, print_refusals

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mlm_gui.core.corpus.corpus import Corpus

MOST_WORDS = 10
"""Fragmented words that are printed; --json prints all of them."""


def text(options: argparse.Namespace) -> None:
    """Reports paragraphs, words, tokens, duplicates and fragmented words."""
    import numpy as np

    from mlm_gui.core.corpus.fragmentation import fragmented_words
    from mlm_gui.core.corpus.near_duplicates import near_duplicates
    from mlm_gui.core.corpus.paragraphs import some_of
    from mlm_gui.core.tokens import COUNTED_CHARACTERS, num_tokens_of

    studio = open_studio(options)
    tokenizer = studio.models.tokenizer(options.model)
    corpus, refused = gather(studio, options.files, options.files)
    corpus = corpus.looked_through()
    counts = corpus.statistics()
    num_tokens, is_exact = num_tokens_of(corpus.paragraphs, tokenizer)
    words = fragmented_words(some_of(corpus.paragraphs, COUNTED_CHARACTERS), tokenizer)
    pairs = near_duplicates(corpus.paragraphs)
    num_near = len(np.unique(pairs[:, 1])) - counts.num_duplicates
    if options.json:
        print_record(
            {
                "paragraphs": counts.num_paragraphs,
                "words": counts.num_words,
                "tokens": num_tokens,
                "tokens_are_exact": is_exact,
                "longest_words": counts.longest_words,
                "duplicates": counts.num_duplicates,
                "near_duplicates": num_near,
                "leaks": _num_leaks(corpus, pairs),
                "shattered": [dataclasses.asdict(word) for word in words],
                "refused": [
                    {"file": file, "what": error.what, "why": error.why, "do": error.do}
                    for file, error in refused
                ],
            }
        )
        return
    print(
        f"{counts.num_paragraphs:,} paragraphs, {counts.num_words:,} words, "
        f"{'' if is_exact else 'about '}{num_tokens:,} tokens; "
        f"the longest paragraph has {counts.longest_words:,} words."
    )
    print(
        f"{counts.num_duplicates:,} paragraphs repeat an earlier one, {num_near:,} more nearly do."
    )
    if not is_exact:
        print(f"Words in pieces, in a random part of {COUNTED_CHARACTERS:,} characters:")
    for word in words[:MOST_WORDS]:
        print(f"  {word.word} (×{word.count}) → {' '.join(word.pieces)}")
    print_refusals(refused)


def _num_leaks(corpus: Corpus, pairs: NDArray[np.int64]) -> int:
    """Held-out paragraphs of the usual split that repeat, or nearly repeat, a training one.

    pairs: int64 [P, 2], the near-duplicates.
    """
    if len(corpus.paragraphs) < 2:
        return 0
    is_held_out = corpus.is_held_out()
    leaks = pairs[is_held_out[pairs[:, 0]] != is_held_out[pairs[:, 1]]]
    return len(set(leaks[is_held_out[leaks]].tolist()))
