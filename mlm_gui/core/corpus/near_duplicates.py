"""Near-duplicates: paragraphs that would leak from the training text into the held-out text.

`survey` reads the text once and keeps a few numbers of each paragraph. Everything else is
arithmetic on these numbers, in arrays. A shingle is a run of SHINGLE_WORDS words.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mlm_gui.core.corpus.paragraphs import lengths_of

SHINGLE_WORDS = 5
LIKENESS = 0.6
"""Near-duplicates share at least this part of the shorter paragraph's shingles."""
SAMPLED_WORDS = 500_000
"""A longer text keeps only every n-th shingle, by its hash, to bound time and memory.

Broder 1997, "On the resemblance and containment of documents".
"""
CHARACTERS_AT_ONCE = 100_000
"""Characters turned into hashes together."""
MOST_COMPARED = 20
"""A shingle in more paragraphs than this is compared with the first of them only."""
PAIRS_AT_ONCE = 200_000
_CHARACTERS_PER_WORD = 6
_WORD = re.compile(r"\w")
_UNKNOWN, _SPACE, _SIGN, _LETTER = range(4)
_NUM_CODE_POINTS = 0x110000
_BASE = 0x9E3779B97F4A7C15
"""Odd, so that it has an inverse modulo 2^64."""
_PAIR_BASE = 2**32
"""More paragraphs than a text has: the pair (a, b) is the one number a · _PAIR_BASE + b."""


@dataclass(frozen=True)
class Survey:
    """What one pass over a text keeps of it."""

    num_words: np.ndarray
    """int32 [N], runs of non-space characters of each paragraph."""
    folded: np.ndarray
    """uint64 [N], a hash of each paragraph without regard to capitals and spacing."""
    shingles: np.ndarray
    """uint64 [R], hashes of each paragraph's shingles, without repeats; sampled in a long text."""
    owners: np.ndarray
    """int64 [R], ascending: the paragraph of each shingle."""


def survey(paragraphs: Sequence[str]) -> Survey:
    """Reads the text once, about CHARACTERS_AT_ONCE at a time."""
    return _joined(_surveys(paragraphs, sparseness(paragraphs)), len(paragraphs))


def sparseness(paragraphs: Sequence[str]) -> int:
    """One in how many shingles is kept: 1 for a text of up to about SAMPLED_WORDS words."""
    num_characters = int(lengths_of(paragraphs).sum())
    return max(1, num_characters // (_CHARACTERS_PER_WORD * SAMPLED_WORDS))


def near_duplicates(paragraphs: Sequence[str]) -> np.ndarray:
    """int64 [P, 2], pairs (earlier, later) of paragraphs that are equal or near-duplicates.

    Equal means equal without regard to capitals and spacing.
    """
    surveyed = survey(paragraphs)
    first = _first_equal(surveyed.folded)
    repeats = np.flatnonzero(first != np.arange(len(first)))
    equal_pairs = np.stack([first[repeats], repeats], 1)
    return np.concatenate([equal_pairs, *_near_pairs(surveyed, first)])


def groups_of(paragraphs: Sequence[str]) -> np.ndarray:
    """int32 [N], see `groups_in`."""
    return groups_in(survey(paragraphs))


def groups_in(surveyed: Survey) -> np.ndarray:
    """int32 [N]: for each paragraph the first paragraph of its group.

    Near-duplicates, and near-duplicates of those, share a group. Five paragraphs of which the
    fourth is like the first, and the fifth like the fourth: [0, 1, 2, 0, 0].
    """
    first = _first_equal(surveyed.folded)
    group = first.copy()
    for pairs in _near_pairs(surveyed, first):
        while True:
            low, high = np.sort(group[pairs], axis=1).T
            if (low == high).all():
                break
            np.minimum.at(group, high, low)
            while (group[group] != group).any():
                group = group[group]
    return group


def num_repeated(surveyed: Survey) -> int:
    """Paragraphs that repeat an earlier one without regard to capitals and spacing."""
    return len(surveyed.folded) - len(np.unique(surveyed.folded))


def num_seen(paragraphs: Sequence[str], learned: Iterable[Sequence[str]]) -> int:
    """How many of `paragraphs` are in the texts of `learned`, word for word or nearly.

    The learned texts are read once and not held in memory.
    """
    asked = _joined(_surveys(paragraphs, 1), len(paragraphs))
    order = np.argsort(asked.shingles, kind="stable")
    shingles = asked.shingles[order]
    owners = asked.owners[order]
    sizes = np.bincount(asked.owners, minlength=len(paragraphs))
    seen = np.zeros(len(paragraphs), bool)
    for text in learned:
        for part in _surveys(text, 1):
            seen |= np.isin(asked.folded, part.folded)
            starts = np.searchsorted(shingles, part.shingles, "left")
            stops = np.searchsorted(shingles, part.shingles, "right")
            pairs, num_shared = _counted(owners, starts, stops, part.owners)
            if len(pairs):
                part_sizes = np.bincount(part.owners)
                smaller = np.minimum(sizes[pairs[:, 0]], part_sizes[pairs[:, 1]])
                seen[pairs[num_shared >= LIKENESS * smaller, 0]] = True
    return int(seen.sum())


def _first_equal(folded: np.ndarray) -> np.ndarray:
    """int32 [N], the first paragraph with the same hash: [7, 5, 9, 7, 5] -> [0, 1, 2, 0, 1]."""
    order = np.argsort(folded, kind="stable")
    is_new = np.ones(len(order), bool)
    is_new[1:] = folded[order[1:]] != folded[order[:-1]]
    group_sizes = np.diff(np.flatnonzero(np.append(is_new, True)))
    first = np.zeros(len(order), np.int32)
    first[order] = np.repeat(order[is_new].astype(np.int32), group_sizes)
    return first


def _near_pairs(surveyed: Survey, first: np.ndarray) -> Iterator[np.ndarray]:
    """Pairs (earlier, later), int64 [P, 2], of different paragraphs that share enough shingles.

    Comes in several arrays. Repeats are left out, since `first` names their first occurrence.
    """
    is_first = first[surveyed.owners] == surveyed.owners
    shingles = surveyed.shingles[is_first]
    owners = surveyed.owners[is_first]
    sizes = np.bincount(owners, minlength=len(first))
    order = np.argsort(shingles, kind="stable")
    sorted_shingles = shingles[order]
    sorted_owners = owners[order]
    position = np.empty(len(order), np.int64)
    position[order] = np.arange(len(order))
    start = 0
    while start < len(shingles):
        last = min(start + PAIRS_AT_ONCE // MOST_COMPARED, len(owners)) - 1
        end = int(np.searchsorted(owners, owners[last], "right"))  # whole paragraphs at a time
        starts = np.searchsorted(sorted_shingles, shingles[start:end])
        pairs, num_shared = _counted(sorted_owners, starts, position[start:end], owners[start:end])
        smaller = np.minimum(sizes[pairs[:, 0]], sizes[pairs[:, 1]])
        yield pairs[num_shared >= LIKENESS * smaller]
        start = end


def _counted(
    others: np.ndarray, starts: np.ndarray, stops: np.ndarray, owners: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of paragraphs, int64 [P, 2], and how many shingles each pair shares, int64 [P].

    Shingle i of paragraph owners[i] is also in the paragraphs others[starts[i]:stops[i]], of
    which the first MOST_COMPARED count. Two shingles of paragraph 5 with others [2, 3] and [3]
    give the pairs [[2, 5], [3, 5]] and the counts [1, 2].
    """
    num_others = np.minimum(stops - starts, MOST_COMPARED)
    num_before = np.cumsum(num_others) - num_others
    indices = np.repeat(starts - num_before, num_others) + np.arange(num_others.sum())
    keys = others[indices] * _PAIR_BASE + np.repeat(owners, num_others)
    pair_keys, num_shared = np.unique(keys, return_counts=True)
    return np.stack(np.divmod(pair_keys, _PAIR_BASE), 1), num_shared


def _joined(parts: Iterable[Survey], num_paragraphs: int) -> Survey:
    """One survey of all parts, which follow each other in the text."""
    num_words = np.zeros(num_paragraphs, np.int32)
    folded = np.zeros(num_paragraphs, np.uint64)
    shingles = [np.zeros(0, np.uint64)]
    owners = [np.zeros(0, np.int64)]
    start = 0
    for part in parts:
        end = start + len(part.folded)
        num_words[start:end] = part.num_words
        folded[start:end] = part.folded
        shingles.append(part.shingles)
        owners.append(part.owners + start)
        start = end
    return Survey(num_words, folded, np.concatenate(shingles), np.concatenate(owners))


def _surveys(paragraphs: Iterable[str], sparse: int) -> Iterator[Survey]:
    """Surveys of successive parts of the text, each numbered from 0; see `sparseness`."""
    kinds = np.full(_NUM_CODE_POINTS, _UNKNOWN, np.uint8)
    lowered: list[str] = []
    num_characters = 0
    for paragraph in paragraphs:
        lowered.append(paragraph.lower())
        num_characters += len(lowered[-1])
        if num_characters >= CHARACTERS_AT_ONCE:
            yield _surveyed(lowered, sparse, kinds)
            lowered = []
            num_characters = 0
    if lowered:
        yield _surveyed(lowered, sparse, kinds)


def _surveyed(lowered: Sequence[str], sparse: int, kinds: np.ndarray) -> Survey:
    """The survey of some paragraphs in lower case.

    kinds: uint8 [code points], the kind of each character that was met before; it is extended.
    """
    content = "\n".join(lowered).encode("utf-32-le", "surrogatepass")
    codes = np.frombuffer(content, np.uint32)
    ends = np.cumsum([len(paragraph) + 1 for paragraph in lowered])
    _learn_kinds(codes, kinds)
    kind = kinds[codes]
    values = codes.astype(np.uint64) + np.uint64(1)

    starts, stops = _stretches(kind != _SPACE)
    borders = np.concatenate([[0], np.searchsorted(starts, ends)])
    folded = _hashes(_hashes(values, starts, stops), borders[:-1], borders[1:])

    word_starts, word_stops = _stretches(kind == _LETTER)
    words = _hashes(values, word_starts, word_stops)
    word_owners = np.searchsorted(ends, word_starts, "right")
    shingles, owners = _distinct_shingles(words, word_owners, sparse)
    return Survey(np.diff(borders).astype(np.int32), folded, shingles, owners)


def _learn_kinds(codes: np.ndarray, kinds: np.ndarray) -> None:
    """Enters the kind of every character that `kinds` does not know yet."""
    for code in np.unique(codes[kinds[codes] == _UNKNOWN]).tolist():
        character = chr(code)
        if _WORD.match(character):
            kinds[code] = _LETTER
        elif character.isspace():
            kinds[code] = _SPACE
        else:
            kinds[code] = _SIGN


def _distinct_shingles(
    words: np.ndarray, word_owners: np.ndarray, sparse: int
) -> tuple[np.ndarray, np.ndarray]:
    """The shingles of each paragraph without repeats, one in `sparse`, and their paragraphs.

    words: uint64 [W], the hash of each word. word_owners: int64 [W], the paragraph of each word.
    """
    first = np.arange(max(0, len(words) - SHINGLE_WORDS + 1))
    shingles = _hashes(words, first, first + SHINGLE_WORDS)
    owners = word_owners[first]
    in_one_paragraph = owners == word_owners[first + SHINGLE_WORDS - 1]
    kept = in_one_paragraph & (shingles % np.uint64(sparse) == 0)
    shingles = shingles[kept]
    owners = owners[kept]
    order = np.lexsort((shingles, owners))
    shingles = shingles[order]
    owners = owners[order]
    is_new = np.ones(len(shingles), bool)
    is_new[1:] = (shingles[1:] != shingles[:-1]) | (owners[1:] != owners[:-1])
    return shingles[is_new], owners[is_new]


def _stretches(inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the stretches of True start, and where they have ended.

    [False, True, True, False, True] -> [1, 4] and [3, 5].
    """
    edges = np.flatnonzero(np.diff(inside, prepend=False, append=False))
    return edges[::2], edges[1::2]


def _hashes(values: np.ndarray, starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """uint64, a hash of each values[start:stop].

    The hash is a polynomial modulo 2^64 (Karp & Rabin 1987) whose bits are mixed as splitmix64
    does. All hashes come from one running sum: the difference between stop and start, divided by
    the power of the base at the start.
    """
    powers = _powers(_BASE, len(values) + 1)
    inverses = _powers(pow(_BASE, -1, 2**64), len(values) + 1)
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(values * powers[:-1])])
    mixed: np.ndarray = (sums[stops] - sums[starts]) * inverses[starts]
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed


def _powers(base: int, count: int) -> np.ndarray:
    """uint64 [count]: 1, base, base² … modulo 2^64."""
    powers = np.full(count, base, np.uint64)
    powers[0] = 1
    np.multiply.accumulate(powers, out=powers)
    return powers
