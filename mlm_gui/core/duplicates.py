"""Paragraphs that say almost the same thing: text that would leak from training into the held-out part."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import chain

import numpy as np

SHINGLE_WORDS = 5
LIKENESS = 0.6
"""Share of the shorter paragraph's word runs (of five) that must stand in the other for the two to count as near-duplicates."""
SAMPLED_WORDS = 500_000
"""In a longer text only every n-th run, by its hash, is looked at, so that time and memory stay bounded (Broder 1997)."""
PARAGRAPHS_AT_ONCE = 2_000
"""Paragraphs whose runs are computed together."""
_WORD = re.compile(r"\w+")


def near_duplicates(paragraphs: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs (earlier, later) of paragraph numbers that are equal, capitals and spacing aside, or alike by at least LIKENESS."""
    first_with: dict[bytes, int] = {}
    standing: dict[int, list[int]] = defaultdict(list)
    pairs, sizes = [], []
    for number, (paragraph, runs) in enumerate(zip(paragraphs, _word_runs(paragraphs), strict=True)):
        folded = blake2b(" ".join(paragraph.lower().split()).encode("utf-8", "replace"), digest_size=16).digest()
        same = first_with.setdefault(folded, number)
        if same != number:
            pairs.append((same, number))
            sizes.append(0)
            continue
        shared = Counter(earlier for run in runs for earlier in standing.get(run, ())[:20])
        pairs += [(earlier, number) for earlier, count in shared.items() if count >= LIKENESS * min(len(runs), sizes[earlier])]
        sizes.append(len(runs))
        for run in runs:
            standing[run].append(number)
    return pairs


def _word_runs(paragraphs: Sequence[str]) -> Iterator[list[int]]:
    """For each paragraph the hashes of its runs of SHINGLE_WORDS words, each once; in a long text a sample of them."""
    sparse = np.uint64(max(1, sum(map(len, paragraphs)) // (6 * SAMPLED_WORDS)))
    hashes: dict[str, int] = {}
    for start in range(0, len(paragraphs), PARAGRAPHS_AT_ONCE):
        words = [_WORD.findall(paragraph.lower()) for paragraph in paragraphs[start : start + PARAGRAPHS_AT_ONCE]]
        for word in set(chain.from_iterable(words)) - hashes.keys():
            hashes[word] = int.from_bytes(blake2b(word.encode("utf-8", "replace"), digest_size=8).digest(), "little")
        row = np.fromiter((hashes[word] for word in chain.from_iterable(words)), np.uint64)
        runs = np.zeros(max(0, len(row) - SHINGLE_WORDS + 1), np.uint64)
        for place in range(SHINGLE_WORDS):  # a polynomial in an odd multiplier, modulo 2^64 (Karp & Rabin 1987)
            runs = runs * np.uint64(0x9E3779B97F4A7C15) + row[place : place + len(runs)]
        runs ^= runs >> np.uint64(32)
        end = 0
        for length in map(len, words):
            own = runs[end : max(end, end + length - SHINGLE_WORDS + 1)]
            yield np.unique(own[own % sparse == 0]).tolist()
            end += length


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
