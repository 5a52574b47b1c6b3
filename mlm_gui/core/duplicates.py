"""Paragraphs that say almost the same thing: text that would leak from training into the held-out part."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from zlib import crc32

SHINGLE_WORDS = 5
LIKENESS = 0.6
"""Share of the shorter paragraph's word runs (of five) that must stand in the other for the two to count as near-duplicates."""
SAMPLED_WORDS = 500_000
"""In a longer text only every n-th run, by its hash, is looked at, so that time and memory stay bounded (Broder 1997)."""
_WORD = re.compile(r"\w+")


def near_duplicates(paragraphs: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs (earlier, later) of paragraph numbers that are equal, capitals and spacing aside, or alike by at least LIKENESS."""
    sparse = max(1, sum(map(len, paragraphs)) // (6 * SAMPLED_WORDS))
    first_with: dict[str, int] = {}
    standing: dict[int, list[int]] = defaultdict(list)
    pairs, sizes = [], []
    for number, paragraph in enumerate(paragraphs):
        words = _WORD.findall(paragraph.lower())
        same = first_with.setdefault(" ".join(paragraph.lower().split()), number)
        if same != number:
            pairs.append((same, number))
            sizes.append(0)
            continue
        runs = {crc32(" ".join(words[i : i + SHINGLE_WORDS]).encode()) for i in range(len(words) - SHINGLE_WORDS + 1)}
        runs = {run for run in runs if run % sparse == 0}
        shared = Counter(earlier for run in runs for earlier in standing.get(run, ())[:20])
        pairs += [(earlier, number) for earlier, count in shared.items() if count >= LIKENESS * min(len(runs), sizes[earlier])]
        sizes.append(len(runs))
        for run in runs:
            standing[run].append(number)
    return pairs


def groups_of(paragraphs: Sequence[str]) -> list[int]:
    """For each paragraph the number of the first one of its group; near-duplicates, and near-duplicates of those, share a group."""
    parent = list(range(len(paragraphs)))

    def root(number: int) -> int:
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    for earlier, later in near_duplicates(paragraphs):
        low, high = sorted((root(earlier), root(later)))
        parent[high] = low
    return [root(number) for number in range(len(paragraphs))]
