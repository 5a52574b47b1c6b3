"""MaskedLM: a masked-language model with its tokenizer; loading with every check, and the padding-free forward pass."""

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
from mlm_gui.core.model.loading import load_tokenizer, load_weights, model_folder, quiet
from mlm_gui.core.model.vocabulary import whole_words
from mlm_gui.core.tokens import LONGEST_SEQUENCE, Pack
from mlm_gui.errors import UserError


@dataclass
class MaskedLM:
    """A model, its tokenizer and what the engine found out about them."""

    model: torch.nn.Module
    tokenizer: object
    name: str
    vocabulary: Vocabulary = field(init=False)
    first_position: int = field(init=False)
    """Position id of the first token of a sequence (0 for BERT, padding id + 1 for RoBERTa)."""
    packs: bool = field(init=False)
    """True when the padding-free pass was tried on this model and gave the padded pass's numbers; otherwise it is not used."""
    skips_early: bool = field(init=False)
    """True when that pass drops the tokens nobody asked for in the middle of the last layer, and not only before the head; see `_only_at`."""

    def __post_init__(self) -> None:
        self.vocabulary = Vocabulary.of(self.tokenizer)
        positions = 0, (self.tokenizer.pad_token_id or 0) + 1
        early = (True, False) if _position_wise_module(self.model) else (False,)
        for first_position, skips_early in itertools.product(positions, early):
            self.first_position, self.skips_early = first_position, skips_early
            self.packs = self._packing_is_exact()
            if self.packs:
                break
        else:
            self.first_position = 0

    @classmethod
    def load(cls, name_or_folder: str | Path) -> "MaskedLM":
        """The bundled "starter", a local folder, or a Hugging Face Hub id. Weights must be safetensors; no code from the model is run.

        Raises UserError when there is no such model, it cannot be fetched, it has no masked-LM head, no mask token,
        weights that are missing or not finite, or a tokenizer larger than its vocabulary.
        """
        name = str(name_or_folder).strip()
        folder = model_folder(name)
        tokenizer = load_tokenizer(name)
        model = load_weights(folder, name)
        if len(tokenizer) > model.config.vocab_size:
            raise UserError(
                f"{name} does not fit together.",
                f"Its tokenizer knows {len(tokenizer):,} tokens and its model {model.config.vocab_size:,}.",
                "Use the tokenizer that belongs to the model.",
            )
        return cls(model, tokenizer, name)

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    @property
    def num_parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.model.parameters())

    @cached_property
    def whole_words(self) -> dict[str, list[int]]:
        """Every word that is a single token, with the ids that write it."""
        return whole_words(self.tokenizer)

    @property
    def max_length(self) -> int:
        """Tokens of the longest sequence this model is given, special tokens included."""
        longest = getattr(self.model.config, "max_position_embeddings", None) or LONGEST_SEQUENCE
        pad = self.tokenizer.pad_token_id or 0
        offset = (
            pad + 1 if self.first_position or self.model.config.model_type in _OFFSET_TYPES else 0
        )
        return max(8, min(longest - offset, self.tokenizer.model_max_length, LONGEST_SEQUENCE))

    def copy(self) -> "MaskedLM":
        """An independent model with the same weights; the tokenizer is shared."""
        return MaskedLM(copy.deepcopy(self.model), self.tokenizer, self.name)

    def save(self, folder: Path) -> None:
        """Writes a folder that `AutoModelForMaskedLM.from_pretrained` loads; written beside and then renamed, so never half there."""
        aside = folder.with_name(folder.name + ".partial")
        shutil.rmtree(aside, ignore_errors=True)
        implementation = self.model.config._attn_implementation
        self.model.config._attn_implementation = "sdpa"  # "packed" is known here only
        try:
            with quiet():
                self.model.save_pretrained(aside)
        finally:
            self.model.config._attn_implementation = implementation
        tokenizer = copy.deepcopy(self.tokenizer)
        tokenizer.backend_tokenizer.no_truncation()  # the last call's limit would be written along
        tokenizer.save_pretrained(aside)
        shutil.rmtree(folder, ignore_errors=True)
        aside.replace(folder)

    def logits_at(self, pack: Pack, input_ids: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        """Scores over the vocabulary at the wanted tokens only: float [W, vocabulary size].

        pack: where sequences begin and end. input_ids: int64 [N], what the model sees. wanted: bool [N].
        """
        if not self.packs:
            return self._padded_logits(pack, input_ids)[wanted]
        device = self.device
        with _only_at(self.model, wanted.nonzero().flatten().to(device), self.skips_early):
            output = self.model(
                input_ids=input_ids[None].to(device),
                position_ids=(pack.positions + self.first_position)[None].to(device),
                boundaries=Boundaries.of(pack.lengths, device),
            )
        return output.logits.flatten(0, 1)  # [0] would cost a copy of the whole gradient

    def _padded_logits(self, pack: Pack, input_ids: torch.Tensor) -> torch.Tensor:
        """The plain pass of transformers over a padded batch: float [N, vocabulary size]."""
        padded, real = self._padded(pack, input_ids, int(pack.lengths.max()))
        return self.model(input_ids=padded, attention_mask=real.long()).logits[real]

    def logits_everywhere(
        self, pack: Pack, input_ids: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The tutorial's pass: every sequence padded to the model's full length, and a score and a label for every position of it.

        Returns float [S · max_length, vocabulary size] and int64 [S · max_length]: the original ids, padding included.
        """
        padded, real = self._padded(pack, input_ids, self.max_length)
        labels, _ = self._padded(pack, pack.input_ids, self.max_length)
        return self.model(input_ids=padded, attention_mask=real.long()).logits.flatten(
            0, 1
        ), labels.flatten()

    def _padded(
        self, pack: Pack, ids: torch.Tensor, length: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """int64 [S, length] and bool [S, length], True at real tokens; on the model's device."""
        real = torch.arange(length)[None] < pack.lengths[:, None]
        padded = torch.full(real.shape, self.tokenizer.pad_token_id or 0)
        padded[real] = ids
        return padded.to(self.device), real.to(self.device)

    @torch.no_grad()
    def _packing_is_exact(self) -> bool:
        """Compares the padding-free pass with the padded one at every third token of two random sequences, one of them long enough to meet a sliding
        window."""
        ordinary = self.vocabulary.ordinary_ids
        generator = torch.Generator().manual_seed(0)
        lengths = torch.tensor([7, min(160, self.max_length)])
        ids = ordinary[torch.randint(len(ordinary), (int(lengths.sum()),), generator=generator)]
        pack, wanted = (
            Pack(ids, lengths, torch.zeros_like(ids, dtype=torch.bool)),
            torch.arange(len(ids)) % 3 == 1,
        )
        was_training = self.model.training
        self.model.eval()
        try:
            expected = self._padded_logits(pack, ids)[wanted]
            self.packs = True
            found = self.logits_at(pack, ids, wanted)
        except (TypeError, ValueError, RuntimeError, IndexError, AttributeError):
            return False  # this architecture takes no such arguments; the padded pass serves it
        finally:
            self.packs = False
            self.model.train(was_training)
        return found.shape == expected.shape and torch.allclose(
            found, expected, rtol=1e-3, atol=1e-3 * float(expected.std())
        )


_OFFSET_TYPES = ("roberta", "xlm-roberta", "camembert", "mpnet", "longformer", "data2vec-text")


@contextlib.contextmanager
def _only_at(model: torch.nn.Module, places: torch.Tensor, early: bool) -> Iterator[None]:
    """While it is open, the model goes on with the hidden states at `places` (int64 [W]) only: same numbers, less work.

    `early`: from where in the last layer no token meets another any more (its keys and values are those of all tokens), else from the head on.
    """

    def keep_before(module, arguments):
        return tuple(hidden[:, places] for hidden in arguments)

    def keep_after(module, arguments, output):
        output["last_hidden_state"] = output[0][:, places]
        return output

    start = _position_wise_module(model) if early else None
    handle = (
        start.register_forward_pre_hook(keep_before)
        if start
        else model.base_model.register_forward_hook(keep_after)
    )
    try:
        yield
    finally:
        handle.remove()


def _position_wise_module(model: torch.nn.Module) -> torch.nn.Module | None:
    """The module of the last layer from which on each token is treated by itself; None where layers are shared or built in another way."""
    stack = next(
        (
            module
            for module in model.base_model.modules()
            if isinstance(module, torch.nn.ModuleList)
        ),
        None,
    )
    names = dict(stack[-1].named_modules()) if stack else {}
    return next((names[name] for name in _POSITION_WISE if name in names), None)


_POSITION_WISE = ("attention.output", "sa_layer_norm")
"""Its name in a layer of the BERT, RoBERTa and ELECTRA kind, and in DistilBERT's."""
