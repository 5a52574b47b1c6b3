"""Paragraphs that say almost the same thing: text that would leak from training into the held-out part."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from zlib import crc32

SHINGLE_WORDS = 5
LIKENESS = 0.6
"""Share of a paragraph's word runs (of five) that must stand in another for the two to count as near-duplicates."""
SAMPLED_WORDS = 500_000
"""In a longer text only every n-th run, by its hash, is looked at, so that time and memory stay bounded (Broder 1997)."""
_WORD = re.compile(r"\w+")


def near_duplicates(paragraphs: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs (earlier, later) of paragraph numbers: each paragraph with the earlier one it repeats most, when that is at least LIKENESS."""
    sparse = max(1, sum(map(len, paragraphs)) // (6 * SAMPLED_WORDS))
    standing: dict[int, list[int]] = defaultdict(list)
    pairs = []
    for number, paragraph in enumerate(paragraphs):
        words = _WORD.findall(paragraph.lower())
        runs = {crc32(" ".join(words[i : i + SHINGLE_WORDS]).encode()) for i in range(max(1, len(words) - SHINGLE_WORDS + 1))}
        runs = {run for run in runs if run % sparse == 0}
        shared = Counter(earlier for run in runs for earlier in standing.get(run, ())[:20])
        if shared:
            earlier, count = shared.most_common(1)[0]
            if count >= LIKENESS * len(runs):
                pairs.append((earlier, number))
        for run in runs:
            standing[run].append(number)
    return pairs
