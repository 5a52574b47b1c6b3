"""Paragraphs -> token ids, laid end to end without padding, and the packs a step is made of."""

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
from mlm_gui.errors import UserError

LONGEST_SEQUENCE = 512
"""Tokens; longer paragraphs are split even when the model could read more."""
PIECE_CHARACTERS = 1_000_000
"""A longer text is tokenised in pieces of about this many characters, each when it is first needed."""
PARAGRAPHS_PER_CALL = 200
"""How many paragraphs the tokenizer is given at once."""
PIECES_HELD = 8
"""So many pieces of a text stay in memory when there is no folder to keep them in; an older one is tokenised again when it is needed."""
COUNTED_CHARACTERS = 2_000_000
"""The tokens of a longer text are not counted but estimated, from a part of about this size."""
WORD_STARTS = ("\u2581", "\u0120")
"""SentencePiece and byte-level tokenizers write the space before a word into its first piece."""


@dataclass(frozen=True)
class TokenStore:
    """Sequences laid end to end; each is one paragraph, or a part of a paragraph longer than the model can read."""

    ids: np.ndarray
    """int32 [N]."""
    offsets: np.ndarray
    """int64 [S + 1]; sequence s is ids[offsets[s]:offsets[s + 1]], special tokens included."""
    continues: np.ndarray
    """bool [N]; True for a token that goes on with the word of the token before it."""

    @property
    def num_tokens(self) -> int:
        return len(self.ids)

    @property
    def num_sequences(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        """int64 [S]."""
        return np.diff(self.offsets)

    def where(self, wanted: Callable[[torch.Tensor], bool]) -> "TokenStore":
        """Only the sequences whose ids (int64 [N]) are wanted."""
        places = zip(self.offsets, self.offsets[1:], strict=False)
        kept = [
            slice(a, b)
            for a, b in places
            if wanted(torch.from_numpy(self.ids[a:b].astype(np.int64)))
        ]
        return _laid_end_to_end(
            [self.ids[place] for place in kept], [self.continues[place] for place in kept]
        )

    def pack(self, sequences: np.ndarray) -> "Pack":
        """The named sequences, in that order, as one flat row."""
        places = [slice(self.offsets[s], self.offsets[s + 1]) for s in sequences]
        return Pack(
            torch.from_numpy(
                np.concatenate([self.ids[place] for place in places]).astype(np.int64)
            ),
            torch.tensor([place.stop - place.start for place in places]),
            torch.from_numpy(np.concatenate([self.continues[place] for place in places])),
        )


@dataclass(frozen=True)
class Pack:
    """Whole sequences laid end to end; no padding, and no attention from one to another."""

    input_ids: torch.Tensor
    """int64 [N]."""
    lengths: torch.Tensor
    """int64 [S], tokens of each sequence; they sum to N."""
    continues: torch.Tensor
    """bool [N], True for a token that goes on with the word of the token before it."""

    @property
    def words(self) -> torch.Tensor:
        """int64 [N], the number of the word each token belongs to; a special token is a word of its own."""
        return torch.cumsum(~self.continues, 0) - 1

    @property
    def sequences(self) -> torch.Tensor:
        """int64 [N], the number of the sequence each token belongs to."""
        return torch.repeat_interleave(torch.arange(len(self.lengths)), self.lengths)

    @property
    def positions(self) -> torch.Tensor:
        """int64 [N], 0, 1, 2 … starting anew with each sequence."""
        starts = torch.cumsum(self.lengths, 0) - self.lengths
        return torch.arange(len(self.input_ids)) - torch.repeat_interleave(starts, self.lengths)


def tokenize(
    paragraphs: Sequence[str], tokenizer, max_length: int, cut: bool = False
) -> TokenStore:
    """Token ids of all paragraphs; one longer than `max_length` tokens is split into several sequences, and nothing is dropped, unless `cut` drops the rest.

    The tokenizer adds its own special tokens to every sequence. Raises UserError for a tokenizer without a fast version.
    """
    _check_is_fast(tokenizer)
    entries = tokenizer.get_vocab()
    starts_word = np.zeros(max(entries.values(), default=0) + 1, dtype=bool)
    starts_word[
        [token_id for token, token_id in entries.items() if token.startswith(WORD_STARTS)]
    ] = True
    rows, continued = [], []
    for parts in parts_of(paragraphs, tokenizer, max_length):
        for encoding in parts[:1] if cut else parts:
            rows.append(np.asarray(encoding.ids, dtype=np.int32))
            continued.append(_continues(encoding.word_ids) & ~starts_word[rows[-1]])
    return _laid_end_to_end(rows, continued)


def num_tokens_of(paragraphs: Sequence[str], tokenizer) -> tuple[int, bool]:
    """Tokens of the text in sequences of LONGEST_SEQUENCE, and whether that is exact; of a long text it is an estimate, from a fixed random part."""
    some = some_of(paragraphs, COUNTED_CHARACTERS)
    num_tokens = tokenize(some, tokenizer, LONGEST_SEQUENCE).num_tokens
    share = len(some) and lengths_of(some).sum() / lengths_of(paragraphs).sum()
    return (num_tokens, True) if share == 1 else (round(num_tokens / share), False)


def num_ordinary(paragraphs: Sequence[str], tokenizer) -> int:
    """Tokens of the text that may be hidden: all but those that mark a beginning or an end."""
    return sum(
        encoding.special_tokens_mask.count(0)
        for parts in parts_of(paragraphs, tokenizer, LONGEST_SEQUENCE)
        for encoding in parts
    )


def parts_of(paragraphs: Sequence[str], tokenizer, max_length: int) -> Iterator[list]:
    """For each paragraph its encodings: one, or several of `max_length` tokens where it is longer. Raises UserError as `tokenize` does.

    A tokenizer remembers the limit it was last called with, and others may be using this one: cutting is done by a copy.
    """
    _check_is_fast(tokenizer)
    options = {"return_attention_mask": False, "return_token_type_ids": False}
    cutting = None
    for start in range(0, len(paragraphs), PARAGRAPHS_PER_CALL):
        some = list(paragraphs[start : start + PARAGRAPHS_PER_CALL])
        for paragraph, encoding in zip(
            some, tokenizer(some, verbose=False, **options).encodings, strict=True
        ):
            if len(encoding.ids) <= max_length:
                yield [encoding]
                continue
            cutting = cutting or copy.deepcopy(tokenizer)
            yield cutting(
                [paragraph],
                truncation=True,
                max_length=max_length,
                stride=0,
                return_overflowing_tokens=True,
                **options,
            ).encodings


def _check_is_fast(tokenizer) -> None:
    if not tokenizer.is_fast:
        raise UserError(
            "This model's tokenizer cannot be used.",
            "It has no fast version, which splitting long paragraphs without loss needs.",
            "Choose a model that ships a tokenizer.json file.",
        )


def _continues(word_ids: list[int | None]) -> np.ndarray:
    """bool [N]: which tokens belong to the same word, by the tokenizer's own count, as the token before them."""
    words = np.asarray([-1 if word is None else word for word in word_ids])
    return (
        np.concatenate([[False], (words[1:] == words[:-1]) & (words[1:] >= 0)])
        if len(words)
        else np.zeros(0, bool)
    )


def _laid_end_to_end(rows: Sequence[np.ndarray], continued: Sequence[np.ndarray]) -> TokenStore:
    ids = np.concatenate(rows) if rows else np.zeros(0, np.int32)
    flags = np.concatenate(continued) if continued else np.zeros(0, bool)
    return TokenStore(
        ids, np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64), flags
    )


def packs(
    lengths: np.ndarray, tokens_per_pack: float, order: np.ndarray, num_packs: int | None = None
) -> Iterator[np.ndarray]:
    """Cuts the sequences, taken in `order`, into packs of nearly equal size, about `tokens_per_pack` tokens each, or into `num_packs`.

    lengths: int64 [S]. order: int64 [S], a permutation. Yields arrays of sequence numbers; each sequence stands in exactly one. There are fewer
    packs than wanted where sequences are longer than a pack.
    """
    taken = lengths[order]
    num_packs = num_packs or max(1, round(taken.sum() / tokens_per_pack))
    middles = np.cumsum(taken) - taken / 2
    pack_of = np.minimum((middles * num_packs / taken.sum()).astype(np.int64), num_packs - 1)
    yield from np.split(order, np.flatnonzero(np.diff(pack_of)) + 1)


class Pieces:
    """A text as one or several pieces, each tokenised when it is first asked for; the memory holds PIECES_HELD of them, or one where they are on disk."""

    def __init__(
        self,
        paragraphs: Sequence[str],
        cut: Callable[[Sequence[str]], TokenStore],
        folder: Path | None = None,
        whole: bool = False,
    ) -> None:
        """`cut` turns paragraphs into tokens. Pieces are kept as files in `folder`, or in memory without one. `whole` makes a single piece."""
        self._paragraphs, self._cut, self._folder = paragraphs, cut, folder
        ends = np.cumsum(lengths_of(paragraphs), dtype=np.int64)
        self._num_characters = int(ends[-1]) if len(ends) else 0
        num_pieces = 1 if whole else max(1, round(self._num_characters / PIECE_CHARACTERS))
        starts = (
            np.searchsorted(ends, np.arange(1, num_pieces) * self._num_characters / num_pieces) + 1
        )
        self._bounds = [
            0,
            *(start for start in np.unique(starts).tolist() if start < len(paragraphs)),
            len(paragraphs),
        ]
        self._sizes = np.diff(np.concatenate([[0], ends])[self._bounds]).tolist()
        self._kept: dict[int, TokenStore] = {}

    def __len__(self) -> int:
        return len(self._bounds) - 1

    def __getitem__(self, number: int) -> TokenStore:
        """The tokens of one piece."""
        store = self._kept.get(
            number
        )  # threads may share this: none counts on what it has just kept
        if store is None:
            for other in list(self._kept)[
                : max(0, len(self._kept) + 1 - (PIECES_HELD if self._folder is None else 1))
            ]:
                self._kept.pop(other, None)
            store = self._read(number) or self._write(
                number, self._cut(self._paragraphs[slice(*self._bounds[number : number + 2])])
            )
            self._kept[number] = store
        return store

    def num_tokens_in(self, number: int) -> float:
        """Tokens of one piece: what its characters let expect, by the first piece."""
        return self._sizes[number] * self._density

    @property
    def num_tokens(self) -> int:
        """Tokens of the whole text: exact for one piece, an estimate by the first piece for several."""
        return round(self._num_characters * self._density)

    @cached_property
    def _density(self) -> float:
        """Tokens for each character."""
        return self[0].num_tokens / max(1, self._sizes[0])

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:05}.safetensors"

    def _read(self, number: int) -> TokenStore | None:
        """The piece from its file, when it is there and whole."""
        if self._folder is None or not self._path(number).is_file():
            return None
        try:
            kept = load_file(self._path(number))
            store = TokenStore(kept["ids"].astype(np.int32), kept["offsets"], kept["continues"])
        except (SafetensorError, OSError, KeyError):  # a damaged file is made again
            return None
        return store if store.offsets[-1] == len(store.ids) == len(store.continues) else None

    def _write(self, number: int, store: TokenStore) -> TokenStore:
        if self._folder is not None and len(self) > 1:
            self._folder.mkdir(parents=True, exist_ok=True)
            narrow = np.uint16 if store.num_tokens and store.ids.max() < 2**16 else np.int32
            aside = self._path(number).with_suffix(".partial")
            save_file(
                {
                    "ids": store.ids.astype(narrow),
                    "offsets": store.offsets,
                    "continues": store.continues,
                },
                aside,
            )
            aside.replace(self._path(number))
        return store
