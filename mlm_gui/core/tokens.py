"""Token ids of paragraphs, end to end without padding, and the packs that a step is made of."""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from mlm_gui.core.corpus.paragraphs import lengths_of, some_of
from mlm_gui.core.tokenizer import Encoding, Tokenizer
from mlm_gui.errors import UserError

LONGEST_SEQUENCE = 512
"""Tokens of the longest sequence, also for a model that could read more."""
SHARD_CHARACTERS = 1_000_000
"""A longer text is tokenised in shards of about this many characters, each when first needed."""
PARAGRAPHS_PER_CALL = 200
"""Paragraphs given to the tokenizer at once."""
SHARDS_HELD = 8
"""Shards kept in memory when no folder caches them; an older shard is tokenised again."""
COUNTED_CHARACTERS = 2_000_000
"""The tokens of a longer text are estimated from a part of about this size."""
WORD_STARTS = ("\u2581", "\u0120")
"""SentencePiece and byte-level tokenizers write the space before a word into its first token."""


@dataclass(frozen=True)
class TokenStore:
    """Sequences end to end; each is one paragraph or a part of a long paragraph."""

    ids: np.ndarray
    """int32 [N]."""
    offsets: np.ndarray
    """int64 [S + 1]; sequence s is ids[offsets[s]:offsets[s + 1]], special tokens included."""
    continues: np.ndarray
    """bool [N], True for a token that continues the word of the token before it."""

    @property
    def num_tokens(self) -> int:
        return len(self.ids)

    @property
    def num_sequences(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        """int64 [S], tokens of each sequence."""
        return np.diff(self.offsets)

    def where(self, is_wanted: Callable[[torch.Tensor], bool]) -> "TokenStore":
        """Only the sequences whose ids (int64 [N]) are wanted."""
        ranges = [self._range(sequence) for sequence in range(self.num_sequences)]
        wanted = [
            part for part in ranges if is_wanted(torch.from_numpy(self.ids[part].astype(np.int64)))
        ]
        return _end_to_end(
            [self.ids[part] for part in wanted], [self.continues[part] for part in wanted]
        )

    def pack(self, sequences: Sequence[int] | np.ndarray) -> "Pack":
        """The sequences of these numbers, in that order, as one flat row."""
        ranges = [self._range(sequence) for sequence in sequences]
        ids = np.concatenate([self.ids[part] for part in ranges]).astype(np.int64)
        continues = np.concatenate([self.continues[part] for part in ranges])
        lengths = [part.stop - part.start for part in ranges]
        return Pack(torch.from_numpy(ids), torch.tensor(lengths), torch.from_numpy(continues))

    def _range(self, sequence: int) -> slice:
        return slice(self.offsets[sequence], self.offsets[sequence + 1])


@dataclass(frozen=True)
class Pack:
    """Whole sequences end to end; no padding, and no attention from one to another."""

    input_ids: torch.Tensor
    """int64 [N]."""
    lengths: torch.Tensor
    """int64 [S], tokens of each sequence; they sum to N."""
    continues: torch.Tensor
    """bool [N], True for a token that continues the word of the token before it."""

    @property
    def words(self) -> torch.Tensor:
        """int64 [N], the number of each token's word; a special token is a word of its own.

        continues [F, F, T, T, F] -> [0, 1, 1, 1, 2].
        """
        return torch.cumsum(~self.continues, 0) - 1

    @property
    def sequences(self) -> torch.Tensor:
        """int64 [N], the number of each token's sequence: lengths [3, 2] -> [0, 0, 0, 1, 1]."""
        return torch.repeat_interleave(torch.arange(len(self.lengths)), self.lengths)

    @property
    def positions(self) -> torch.Tensor:
        """int64 [N], each token's place in its sequence: lengths [3, 2] -> [0, 1, 2, 0, 1]."""
        starts = torch.cumsum(self.lengths, 0) - self.lengths
        return torch.arange(len(self.input_ids)) - torch.repeat_interleave(starts, self.lengths)


def tokenize(
    paragraphs: Sequence[str], tokenizer: Tokenizer, max_length: int, cut: bool = False
) -> TokenStore:
    """Token ids of all paragraphs, with the tokenizer's special tokens in every sequence.

    A paragraph longer than `max_length` tokens becomes several sequences, and nothing is lost;
    with `cut` only its first sequence is kept. Raises UserError for a tokenizer without a fast
    version.
    """
    _check_is_fast(tokenizer)
    vocabulary = tokenizer.get_vocab()
    starts_word = np.zeros(max(vocabulary.values(), default=0) + 1, dtype=bool)
    starting_ids = [number for token, number in vocabulary.items() if token.startswith(WORD_STARTS)]
    starts_word[starting_ids] = True
    rows: list[np.ndarray] = []
    continues: list[np.ndarray] = []
    for parts in parts_of(paragraphs, tokenizer, max_length):
        for encoding in parts[:1] if cut else parts:
            row = np.asarray(encoding.ids, dtype=np.int32)
            rows.append(row)
            continues.append(_continues(encoding.word_ids) & ~starts_word[row])
    return _end_to_end(rows, continues)


def num_tokens_of(paragraphs: Sequence[str], tokenizer: Tokenizer) -> tuple[int, bool]:
    """Tokens of the text in sequences of LONGEST_SEQUENCE, and whether that number is exact.

    The number for a long text is estimated from a fixed random part of it.
    """
    part = some_of(paragraphs, COUNTED_CHARACTERS)
    num_tokens = tokenize(part, tokenizer, LONGEST_SEQUENCE).num_tokens
    if len(part) == len(paragraphs):
        return num_tokens, True
    share = float(lengths_of(part).sum() / lengths_of(paragraphs).sum())
    return round(num_tokens / share), False


def num_ordinary(paragraphs: Sequence[str], tokenizer: Tokenizer) -> int:
    """Tokens of the text that may be hidden: all but those that mark a start or an end."""
    return sum(
        encoding.special_tokens_mask.count(0)
        for parts in parts_of(paragraphs, tokenizer, LONGEST_SEQUENCE)
        for encoding in parts
    )


def parts_of(
    paragraphs: Sequence[str], tokenizer: Tokenizer, max_length: int
) -> Iterator[list[Encoding]]:
    """For each paragraph its encodings: one, or several of `max_length` tokens.

    Raises UserError as `tokenize` does. A tokenizer remembers the limit of its last call, and
    others may be using this one, so a copy does the cutting.
    """
    _check_is_fast(tokenizer)
    options = {"return_attention_mask": False, "return_token_type_ids": False}
    cutter: Tokenizer | None = None
    for start in range(0, len(paragraphs), PARAGRAPHS_PER_CALL):
        block = list(paragraphs[start : start + PARAGRAPHS_PER_CALL])
        encodings = tokenizer(block, verbose=False, **options).encodings
        for paragraph, encoding in zip(block, encodings, strict=True):
            if len(encoding.ids) <= max_length:
                yield [encoding]
                continue
            cutter = cutter or copy.deepcopy(tokenizer)
            yield cutter(
                [paragraph],
                truncation=True,
                max_length=max_length,
                stride=0,
                return_overflowing_tokens=True,
                **options,
            ).encodings


def _check_is_fast(tokenizer: Tokenizer) -> None:
    if not tokenizer.is_fast:
        raise UserError(
            "This model's tokenizer cannot be used.",
            "It has no fast version, which splitting long paragraphs without loss needs.",
            "Choose a model that ships a tokenizer.json file.",
        )


def _continues(word_ids: list[int | None]) -> np.ndarray:
    """bool [N], True for a token in the same word as the token before it.

    word_ids: the tokenizer's own count: [None, 0, 1, 1, None] -> [F, F, F, T, F].
    """
    words = np.asarray([-1 if word is None else word for word in word_ids], dtype=np.int64)
    continues = np.zeros(len(words), bool)
    continues[1:] = (words[1:] == words[:-1]) & (words[1:] >= 0)
    return continues


def _end_to_end(rows: Sequence[np.ndarray], continues: Sequence[np.ndarray]) -> TokenStore:
    """The sequences with these ids (int32) and flags (bool) as one store."""
    offsets = np.zeros(len(rows) + 1, np.int64)
    offsets[1:] = np.cumsum([len(row) for row in rows])
    return TokenStore(
        np.concatenate([np.zeros(0, np.int32), *rows]),
        offsets,
        np.concatenate([np.zeros(0, bool), *continues]),
    )


def packs(
    lengths: np.ndarray, tokens_per_pack: float, order: np.ndarray, num_packs: int | None = None
) -> Iterator[np.ndarray]:
    """Divides the sequences, taken in `order`, into packs of nearly equal size.

    A pack has about `tokens_per_pack` tokens, or there are `num_packs` of them. lengths: int64
    [S]. order: int64 [S], a permutation. Yields arrays of sequence numbers, each number once.
    There are fewer packs than wanted when sequences are longer than a pack. Lengths [3, 3, 4, 2]
    in that order with 6 tokens a pack give [0, 1] and [2, 3].
    """
    taken = lengths[order]
    num_packs = num_packs or max(1, round(taken.sum() / tokens_per_pack))
    middles = np.cumsum(taken) - taken / 2
    pack_of = np.minimum((middles * num_packs / taken.sum()).astype(np.int64), num_packs - 1)
    yield from np.split(order, np.flatnonzero(np.diff(pack_of)) + 1)


class Shards:
    """A text in one or several shards, each tokenised when it is first asked for.

    At most SHARDS_HELD shards are kept in memory (one when a folder caches them).
    """

    def __init__(
        self,
        paragraphs: Sequence[str],
        cut: Callable[[Sequence[str]], TokenStore],
        folder: Path | None = None,
        whole: bool = False,
    ) -> None:
        """cut: turns paragraphs into tokens. folder: caches the shards as files.

        whole: makes a single shard of any text.
        """
        self._paragraphs = paragraphs
        self._cut = cut
        self._folder = folder
        ends = np.cumsum(lengths_of(paragraphs), dtype=np.int64)
        self._num_characters = int(ends[-1]) if len(ends) else 0
        num_shards = 1 if whole else max(1, round(self._num_characters / SHARD_CHARACTERS))
        wanted_ends = np.arange(1, num_shards) * self._num_characters / num_shards
        starts = np.unique(np.searchsorted(ends, wanted_ends) + 1).tolist()
        inner_starts = [start for start in starts if start < len(paragraphs)]
        self._bounds = [0, *inner_starts, len(paragraphs)]
        self._sizes: list[int] = np.diff(np.concatenate([[0], ends])[self._bounds]).tolist()
        self._held: dict[int, TokenStore] = {}

    def __len__(self) -> int:
        return len(self._bounds) - 1

    def __getitem__(self, number: int) -> TokenStore:
        """The tokens of one shard."""
        store = self._held.get(number)  # threads share this, so a shard may go at any time
        if store is None:
            self._make_room()
            store = self._read(number)
            if store is None:
                start, end = self._bounds[number : number + 2]
                store = self._cut(self._paragraphs[start:end])
                self._write(number, store)
            self._held[number] = store
        return store

    def _make_room(self) -> None:
        """Forgets the oldest shards until another one may be held."""
        most = SHARDS_HELD if self._folder is None else 1
        num_surplus = max(0, len(self._held) + 1 - most)
        for number in list(self._held)[:num_surplus]:
            self._held.pop(number, None)

    def num_tokens_in(self, number: int) -> float:
        """Tokens of one shard, estimated from its characters and the first shard."""
        return self._sizes[number] * self._density

    @property
    def num_tokens(self) -> int:
        """Tokens of the whole text: exact for one shard, estimated from the first of several."""
        return round(self._num_characters * self._density)

    @cached_property
    def _density(self) -> float:
        """Tokens for each character of the first shard."""
        return self[0].num_tokens / max(1, self._sizes[0])

    def _read(self, number: int) -> TokenStore | None:
        """The shard from its file; None when the file is missing or damaged."""
        if self._folder is None or not _shard_path(self._folder, number).is_file():
            return None
        try:
            arrays = load_file(_shard_path(self._folder, number))
            store = TokenStore(
                arrays["ids"].astype(np.int32), arrays["offsets"], arrays["continues"]
            )
        except (SafetensorError, OSError, KeyError):  # a damaged file is made again
            return None
        return store if store.offsets[-1] == len(store.ids) == len(store.continues) else None

    def _write(self, number: int, store: TokenStore) -> None:
        """Caches one of several shards in the folder."""
        if self._folder is None or len(self) == 1:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        fits_narrow = store.num_tokens > 0 and store.ids.max() < 2**16
        arrays = {
            "ids": store.ids.astype(np.uint16 if fits_narrow else np.int32),
            "offsets": store.offsets,
            "continues": store.continues,
        }
        path = _shard_path(self._folder, number)
        aside = path.with_suffix(".partial")
        save_file(arrays, aside)
        aside.replace(path)


def _shard_path(folder: Path, number: int) -> Path:
    return folder / f"{number:05}.safetensors"
