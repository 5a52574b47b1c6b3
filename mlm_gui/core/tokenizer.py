"""What this package uses of a transformers tokenizer, as types.

Transformers' own classes are imported in one place only, and a fast tokenizer of any family fits
these protocols.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol


class Encoding(Protocol):
    """One tokenised sequence of the tokenizers library."""

    @property
    def ids(self) -> list[int]: ...
    @property
    def word_ids(self) -> list[int | None]: ...
    @property
    def special_tokens_mask(self) -> list[int]: ...
    def char_to_token(self, char_pos: int) -> int | None: ...


class EncodedTexts(Protocol):
    """What a call of the tokenizer returns."""

    @property
    def encodings(self) -> list[Encoding]: ...
    def __getitem__(self, name: str) -> Any: ...


class Backend(Protocol):
    """The fast tokenizer behind a transformers tokenizer."""

    def no_truncation(self) -> None: ...


class Tokenizer(Protocol):
    """A transformers tokenizer of any family."""

    is_fast: bool
    backend_tokenizer: Backend
    model_max_length: int
    all_special_ids: list[int]
    mask_token: str
    mask_token_id: int
    pad_token_id: int | None
    cls_token_id: int | None
    sep_token_id: int | None

    def __call__(self, text: str | list[str], **options: object) -> EncodedTexts: ...
    def __len__(self) -> int: ...
    def get_vocab(self) -> dict[str, int]: ...
    def tokenize(self, text: str) -> list[str]: ...
    def decode(self, token_ids: Sequence[int]) -> str: ...
    def convert_ids_to_tokens(self, ids: int) -> str | None: ...
    def save_pretrained(self, save_directory: Path) -> object: ...
