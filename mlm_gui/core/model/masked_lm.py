"""MaskedLM: a masked language model with its tokenizer, and the padding-free forward pass."""

import contextlib
import copy
import itertools
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch

from mlm_gui.core.masking.sampling import Vocabulary
from mlm_gui.core.model.attention import Boundaries
from mlm_gui.core.model.libraries import PreTrainedModel
from mlm_gui.core.model.loading import load_tokenizer, load_weights, model_folder, quiet
from mlm_gui.core.model.vocabulary import whole_words
from mlm_gui.core.tokenizer import Tokenizer
from mlm_gui.core.tokens import LONGEST_SEQUENCE, Pack
from mlm_gui.errors import UserError

OFFSET_TYPES = ("roberta", "xlm-roberta", "camembert", "mpnet", "longformer", "data2vec-text")
"""Model types whose position ids start after the padding id."""
POSITION_WISE = ("attention.output", "sa_layer_norm")
"""Modules from which on a layer treats each token by itself.

The first is its name in BERT, RoBERTa and ELECTRA layers, the second in DistilBERT layers.
"""
BASE_WIDTH = 768
"""Hidden size that is assumed for a model that does not report its own."""


@dataclass
class MaskedLM:
    """A model, its tokenizer, and what was found out about them when they were loaded."""

    model: PreTrainedModel
    tokenizer: Tokenizer
    name: str
    vocabulary: Vocabulary = field(init=False)
    first_position: int = field(init=False)
    """Position id of a sequence's first token: 0 for BERT, padding id + 1 for RoBERTa."""
    packs: bool = field(init=False)
    """True when the padding-free pass gave the padded pass's numbers; otherwise it is not used."""
    skips_early: bool = field(init=False)
    """True when that pass drops unwanted tokens inside the last layer, not just before the head."""

    def __post_init__(self) -> None:
        self.vocabulary = Vocabulary.of(self.tokenizer)
        first_positions = (0, self._padding_id + 1)
        early_choices = (True, False) if position_wise_module(self.model) else (False,)
        for first_position, skips_early in itertools.product(first_positions, early_choices):
            self.first_position = first_position
            self.skips_early = skips_early
            self.packs = self._packing_is_exact()
            if self.packs:
                break
        else:
            self.first_position = 0

    @classmethod
    def load(cls, name_or_folder: str | Path) -> "MaskedLM":
        """The bundled "starter", a local folder, or a model of the Hugging Face Hub.

        Weights must be safetensors, and no code from the model is run. Raises UserError when there
        is no such model, when it cannot be fetched, when it has no masked-LM head or no mask
        token, when weights are missing or not finite, or when its tokenizer is larger than its
        vocabulary.
        """
        name = str(name_or_folder).strip()
        folder = model_folder(name)
        tokenizer = load_tokenizer(name)
        model = load_weights(folder, name)
        if len(tokenizer) > model.config.vocab_size:
            raise UserError(
                f"{name} does not fit together.",
                f"Its tokenizer knows {len(tokenizer):,} tokens and its model "
                f"{model.config.vocab_size:,}.",
                "Use the tokenizer that belongs to the model.",
            )
        return cls(model, tokenizer, name)

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    @property
    def num_parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.model.parameters())

    @property
    def width(self) -> int:
        """The hidden size of the model."""
        return int(getattr(self.model.config, "hidden_size", BASE_WIDTH))

    @cached_property
    def whole_words(self) -> dict[str, list[int]]:
        """Every word that is a single token, with the ids that write it."""
        return whole_words(self.tokenizer)

    @property
    def max_length(self) -> int:
        """Tokens of the longest sequence that this model is given, special tokens included."""
        num_positions = getattr(self.model.config, "max_position_embeddings", None)
        has_offset = self.first_position or self.model.config.model_type in OFFSET_TYPES
        offset = self._padding_id + 1 if has_offset else 0
        longest: int = (num_positions or LONGEST_SEQUENCE) - offset
        return max(8, min(longest, self.tokenizer.model_max_length, LONGEST_SEQUENCE))

    @property
    def _padding_id(self) -> int:
        return self.tokenizer.pad_token_id or 0

    def move_to(self, device: torch.device) -> None:
        """Moves the model to a device."""
        torch.nn.Module.to(self.model, device)

    def copy(self) -> "MaskedLM":
        """An independent model with the same weights; the tokenizer is shared."""
        return MaskedLM(copy.deepcopy(self.model), self.tokenizer, self.name)

    def save(self, folder: Path) -> None:
        """Writes a folder that `AutoModelForMaskedLM.from_pretrained` loads.

        At every moment `folder` is a whole model or does not exist. A kill can leave folders named
        `folder` + ".partial" or ".replaced"; the next save removes them.
        """
        partial = folder.with_name(folder.name + ".partial")
        replaced = folder.with_name(folder.name + ".replaced")
        if replaced.exists() and not folder.exists():  # killed between the two renames below
            replaced.replace(folder)
        for leftover in (partial, replaced):
            shutil.rmtree(leftover, ignore_errors=True)
        self._write(partial)
        if folder.exists():
            folder.replace(replaced)
        partial.replace(folder)
        shutil.rmtree(replaced, ignore_errors=True)

    def _write(self, folder: Path) -> None:
        """Writes model and tokenizer as transformers does."""
        implementation = self.model.config._attn_implementation
        self.model.config._attn_implementation = "sdpa"  # only this package knows "packed"
        try:
            with quiet():
                self.model.save_pretrained(folder)
        finally:
            self.model.config._attn_implementation = implementation
        tokenizer = copy.deepcopy(self.tokenizer)
        tokenizer.backend_tokenizer.no_truncation()  # the last call's limit would be saved too
        tokenizer.save_pretrained(folder)

    def logits_at(self, pack: Pack, input_ids: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        """Scores over the vocabulary at the wanted tokens only: float [W, vocabulary size].

        pack: its boundaries are used. input_ids: int64 [N], what the model sees. wanted: bool [N].
        """
        if not self.packs:
            return self.padded_logits(pack, input_ids)[wanted]
        device = self.device
        positions = wanted.nonzero().flatten().to(device)
        with _only_at(self.model, positions, self.skips_early):
            logits: torch.Tensor = self.model(
                input_ids=input_ids[None].to(device),
                position_ids=(pack.positions + self.first_position)[None].to(device),
                boundaries=Boundaries.of(pack.lengths, device),
            ).logits
        return logits.flatten(0, 1)  # logits[0] would cost a copy of the whole gradient

    def padded_logits(self, pack: Pack, input_ids: torch.Tensor) -> torch.Tensor:
        """The plain pass of transformers over a padded batch: float [N, vocabulary size]."""
        padded, is_real = self._padded(pack, input_ids, int(pack.lengths.max()))
        logits: torch.Tensor = self.model(input_ids=padded, attention_mask=is_real.long()).logits
        return logits[is_real]

    def logits_everywhere(
        self, pack: Pack, input_ids: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Scores and labels at every position of the tutorial's padded batch.

        Every sequence is padded to the model's full length. Returns float [S · max_length,
        vocabulary size] and int64 [S · max_length], the original ids, padding included.
        """
        padded, is_real = self._padded(pack, input_ids, self.max_length)
        labels, _ = self._padded(pack, pack.input_ids, self.max_length)
        logits = self.model(input_ids=padded, attention_mask=is_real.long()).logits
        return logits.flatten(0, 1), labels.flatten()

    def _padded(
        self, pack: Pack, ids: torch.Tensor, length: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """int64 [S, length] and bool [S, length], True at real tokens; on the model's device."""
        is_real = torch.arange(length)[None] < pack.lengths[:, None]
        padded = torch.full(is_real.shape, self._padding_id)
        padded[is_real] = ids
        return padded.to(self.device), is_real.to(self.device)

    def _packing_is_exact(self) -> bool:
        """True when the padding-free pass gives the padded pass's numbers.

        They are compared at every third token of two random sequences. One of them is long enough
        to reach beyond a sliding window.
        """
        ordinary = self.vocabulary.ordinary_ids
        generator = torch.Generator().manual_seed(0)
        lengths = torch.tensor([7, min(160, self.max_length)])
        ids = ordinary[torch.randint(len(ordinary), (int(lengths.sum()),), generator=generator)]
        pack = Pack(ids, lengths, torch.zeros_like(ids, dtype=torch.bool))
        wanted = torch.arange(len(ids)) % 3 == 1
        try:
            with evaluating(self):
                expected = self.padded_logits(pack, ids)[wanted]
                self.packs = True
                packed = self.logits_at(pack, ids, wanted)
        except (TypeError, ValueError, RuntimeError, IndexError, AttributeError):
            return False  # this architecture takes no such arguments; it gets padded batches
        finally:
            self.packs = False
        if packed.shape != expected.shape:
            return False
        tolerance = 1e-3 * float(expected.std())
        return torch.allclose(packed, expected, rtol=1e-3, atol=tolerance)


@contextlib.contextmanager
def evaluating(lm: MaskedLM) -> Iterator[None]:
    """While it is open, `lm` runs without dropout and without gradients.

    Afterwards the model is in the mode it was in before, also when an error is raised.
    """
    was_training = lm.model.training
    lm.model.train(False)
    try:
        with torch.no_grad():
            yield
    finally:
        lm.model.train(was_training)


@contextlib.contextmanager
def _only_at(model: PreTrainedModel, positions: torch.Tensor, early: bool) -> Iterator[None]:
    """While it is open, the model keeps only the hidden states at `positions` (int64 [W]).

    The numbers at these positions are the same, for less work. With `early` the other states are
    dropped inside the last layer, after its attention has used them; otherwise before the head.
    """

    def keep_before(
        module: torch.nn.Module, arguments: tuple[torch.Tensor, ...]
    ) -> tuple[torch.Tensor, ...]:
        return tuple(hidden[:, positions] for hidden in arguments)

    def keep_after(
        module: torch.nn.Module, arguments: object, output: dict[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        output["last_hidden_state"] = output["last_hidden_state"][:, positions]
        return output

    start = position_wise_module(model) if early else None
    if start is not None:
        handle = start.register_forward_pre_hook(keep_before)
    else:
        handle = model.base_model.register_forward_hook(keep_after)
    try:
        yield
    finally:
        handle.remove()


def position_wise_module(model: PreTrainedModel) -> torch.nn.Module | None:
    """The module of the last layer from which on each token is treated by itself.

    None when the layers are shared or built in another way.
    """
    for stack in model.base_model.modules():
        if isinstance(stack, torch.nn.ModuleList) and len(stack):
            modules = dict(stack[-1].named_modules())
            return next((modules[name] for name in POSITION_WISE if name in modules), None)
    return None
