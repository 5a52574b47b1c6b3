"""Paragraphs that say almost the same thing: text that would leak from training into the held-out part.

One pass over the text (`survey`) keeps a few numbers of each paragraph; everything else is arithmetic on these, in arrays.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mlm_gui.core.corpus.paragraphs import lengths_of

SHINGLE_WORDS = 5
LIKENESS = 0.6
"""Share of the shorter paragraph's word runs (of five) that must stand in the other for the two to count as near-duplicates."""
SAMPLED_WORDS = 500_000
"""In a longer text only every n-th run, by its hash, is looked at, so that time and memory stay bounded (Broder 1997)."""
CHARACTERS_AT_ONCE = 100_000
"""About so much text is turned into hashes together."""
MOST_STANDING = 20
"""A run that stands in more paragraphs, a stock phrase, is compared with so many of them, the first."""
PAIRS_AT_ONCE = 200_000
_WORD = re.compile(r"\w")
_UNKNOWN, _SPACE, _SIGN, _LETTER = range(4)
_BASE = 0x9E3779B97F4A7C15
"""Odd, so that it has an inverse modulo 2^64."""
_NUMBER = 2**32
"""More paragraphs than a text has: a pair of numbers is one number in this base."""


@dataclass(frozen=True)
class Survey:
    """What one pass over a text leaves of it."""

    num_words: np.ndarray
    """int32 [N], runs of non-space characters of each paragraph."""
    folded: np.ndarray
    """uint64 [N], a hash of each paragraph, capitals and spacing aside."""
    runs: np.ndarray
    """uint64 [R], hashes of runs of SHINGLE_WORDS words, each once for a paragraph; in a long text a sample of them."""
    places: np.ndarray
    """int64 [R], ascending: the paragraph that each run stands in."""


def survey(paragraphs: Sequence[str]) -> Survey:
    """Reads the text once, holding about CHARACTERS_AT_ONCE of it."""
    return _joined(_surveys(paragraphs, sparseness(paragraphs)), len(paragraphs))


def sparseness(paragraphs: Sequence[str]) -> int:
    """Of how many runs of words one is looked at; 1 for a text of up to about SAMPLED_WORDS words, read whole."""
    return max(1, int(lengths_of(paragraphs).sum()) // (6 * SAMPLED_WORDS))


def near_duplicates(paragraphs: Sequence[str]) -> np.ndarray:
    """int64 [P, 2], pairs (earlier, later) of paragraph numbers that are equal, capitals and spacing aside, or alike by at least LIKENESS."""
    found = survey(paragraphs)
    first = _first_equal(found.folded)
    repeats = np.flatnonzero(first != np.arange(len(first)))
    return np.concatenate([np.stack([first[repeats], repeats], 1), *_alike(found, first)])


def groups_of(paragraphs: Sequence[str]) -> np.ndarray:
    """int32 [N], see `groups_in`."""
    return groups_in(survey(paragraphs))


def groups_in(found: Survey) -> np.ndarray:
    """int32 [N]: for each paragraph the first one of its group; near-duplicates, and near-duplicates of those, share a group."""
    first = _first_equal(found.folded)
    group = first.copy()
    for pairs in _alike(found, first):
        while True:
            low, high = np.sort(group[pairs], axis=1).T
            if (low == high).all():
                break
            np.minimum.at(group, high, low)
            while (group[group] != group).any():
                group = group[group]
    return group


def num_repeated(found: Survey) -> int:
    """Paragraphs that repeat an earlier one, capitals and spacing aside."""
    return len(found.folded) - len(np.unique(found.folded))


def num_seen(paragraphs: Sequence[str], learned: Iterable[Sequence[str]]) -> int:
    """How many of `paragraphs` stand in the texts of `learned`, word for word or nearly. These are read once, and no part of them is held."""
    asked = _joined(_surveys(paragraphs, 1), len(paragraphs))
    order = np.argsort(asked.runs, kind="stable")
    runs, places, sizes = (
        asked.runs[order],
        asked.places[order],
        np.bincount(asked.places, minlength=len(paragraphs)),
    )
    seen = np.zeros(len(paragraphs), bool)
    for text in learned:
        for part in _surveys(text, 1):
            seen |= np.isin(asked.folded, part.folded)
            starts, stops = (
                np.searchsorted(runs, part.runs, "left"),
                np.searchsorted(runs, part.runs, "right"),
            )
            pairs, shared = _counted(places, starts, stops, part.places)
            smaller = (
                np.minimum(sizes[pairs[:, 0]], np.bincount(part.places)[pairs[:, 1]])
                if len(pairs)
                else shared
            )
            seen[pairs[shared >= LIKENESS * smaller, 0]] = True
    return int(seen.sum())


def _first_equal(folded: np.ndarray) -> np.ndarray:
    """int32 [N], the first paragraph that is equal to each; itself where none is before it."""
    order = np.argsort(folded, kind="stable")
    is_new = np.ones(len(order), bool)
    is_new[1:] = folded[order[1:]] != folded[order[:-1]]
    first = np.zeros(len(order), np.int32)
    first[order] = np.repeat(
        order[is_new].astype(np.int32), np.diff(np.flatnonzero(np.append(is_new, True)))
    )
    return first


def _alike(found: Survey, first: np.ndarray) -> Iterator[np.ndarray]:
    """Pairs (earlier, later), int64 [P, 2], of different paragraphs that share enough runs; some at a time. Repeats are left out: `first` stands for them."""
    own = first[found.places] == found.places
    runs, places = found.runs[own], found.places[own]
    sizes = np.bincount(places, minlength=len(first))
    order = np.argsort(runs, kind="stable")
    sorted_runs = runs[order]
    stops = np.empty(len(order), np.int64)
    stops[order] = np.arange(len(order))
    standing, start = places[order], 0
    while start < len(runs):  # whole paragraphs at a time
        end = int(
            np.searchsorted(
                places,
                places[min(start + PAIRS_AT_ONCE // MOST_STANDING, len(places)) - 1],
                "right",
            )
        )
        here = slice(start, end)
        pairs, shared = _counted(
            standing, np.searchsorted(sorted_runs, runs[here]), stops[here], places[here]
        )
        yield pairs[shared >= LIKENESS * np.minimum(sizes[pairs[:, 0]], sizes[pairs[:, 1]])]
        start = end


def _counted(
    standing: np.ndarray, starts: np.ndarray, stops: np.ndarray, places: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of paragraphs, int64 [P, 2], and how many runs each pair shares, int64 [P].

    The i-th run stands in paragraph places[i] and in the paragraphs standing[starts[i]:stops[i]], of which the first MOST_STANDING count.
    """
    many = np.minimum(stops - starts, MOST_STANDING)
    before = np.cumsum(many) - many
    others = standing[np.repeat(starts - before, many) + np.arange(many.sum())]
    keys, shared = np.unique(others * _NUMBER + np.repeat(places, many), return_counts=True)
    return np.stack(np.divmod(keys, _NUMBER), 1), shared


def _joined(parts: Iterable[Survey], num_paragraphs: int) -> Survey:
    num_words, folded = np.zeros(num_paragraphs, np.int32), np.zeros(num_paragraphs, np.uint64)
    runs, places = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)]
    start = 0
    for part in parts:
        here = slice(start, start + len(part.folded))
        num_words[here], folded[here] = part.num_words, part.folded
        runs.append(part.runs)
        places.append(part.places + start)
        start = here.stop
    return Survey(num_words, folded, np.concatenate(runs), np.concatenate(places))


def _surveys(paragraphs: Iterable[str], sparse: int) -> Iterator[Survey]:
    """The text some paragraphs at a time, each part numbered from 0; of the runs one in `sparse`."""
    kinds = np.full(0x110000, _UNKNOWN, np.uint8)
    lowered: list[str] = []
    num_characters = 0
    for paragraph in paragraphs:
        lowered.append(paragraph.lower())
        num_characters += len(lowered[-1])
        if num_characters >= CHARACTERS_AT_ONCE:
            yield _surveyed(lowered, sparse, kinds)
            lowered, num_characters = [], 0
    if lowered:
        yield _surveyed(lowered, sparse, kinds)


def _surveyed(lowered: Sequence[str], sparse: int, kinds: np.ndarray) -> Survey:
    """kinds: uint8 [0x110000], what is known of the characters; it learns the new ones."""
    codes = np.frombuffer("\n".join(lowered).encode("utf-32-le", "surrogatepass"), np.uint32)
    ends = np.cumsum([len(paragraph) + 1 for paragraph in lowered])
    for code in np.unique(codes[kinds[codes] == _UNKNOWN]).tolist():
        kinds[code] = (
            _LETTER if _WORD.match(chr(code)) else _SPACE if chr(code).isspace() else _SIGN
        )
    kind, values = kinds[codes], codes.astype(np.uint64) + np.uint64(1)

    starts, stops = _stretches(kind != _SPACE)
    borders = np.concatenate([[0], np.searchsorted(starts, ends)])
    folded = _hashes(_hashes(values, starts, stops), borders[:-1], borders[1:])

    word_starts, word_stops = _stretches(kind == _LETTER)
    words, of_word = (
        _hashes(values, word_starts, word_stops),
        np.searchsorted(ends, word_starts, "right"),
    )
    first = np.arange(max(0, len(words) - SHINGLE_WORDS + 1))
    runs, places = _hashes(words, first, first + SHINGLE_WORDS), of_word[first]
    kept = (places == of_word[first + SHINGLE_WORDS - 1]) & (runs % np.uint64(sparse) == 0)
    runs, places = runs[kept], places[kept]
    order = np.lexsort((runs, places))
    runs, places = runs[order], places[order]
    again = np.concatenate([[False], (runs[1:] == runs[:-1]) & (places[1:] == places[:-1])])[
        : len(runs)
    ]
    return Survey(np.diff(borders).astype(np.int32), folded, runs[~again], places[~again])


def _stretches(inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the stretches of True begin, and where they have ended."""
    edges = np.flatnonzero(np.diff(inside, prepend=False, append=False))
    return edges[::2], edges[1::2]


def _hashes(values: np.ndarray, starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """uint64, a hash of each values[start:stop]: a polynomial modulo 2^64 (Karp & Rabin 1987), its bits mixed as splitmix64 does.

    All from one running sum: what was summed between start and stop, divided by the power of the base at the start.
    """
    powers, inverses = (
        np.full(len(values) + 1, base, np.uint64) for base in (_BASE, pow(_BASE, -1, 2**64))
    )
    for row in (powers, inverses):
        row[0] = 1
        np.multiply.accumulate(row, out=row)
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(values * powers[:-1])])
    mixed = (sums[stops] - sums[starts]) * inverses[starts]
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
