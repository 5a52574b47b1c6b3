"""MaskedLM: a masked-language model with its tokenizer; loading with every check, and the padding-free forward pass."""

import contextlib
import copy
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from transformers import AttentionInterface, AttentionMaskInterface, AutoConfig, AutoModelForMaskedLM, AutoTokenizer
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from mlm_gui.core.masking import Vocabulary
from mlm_gui.core.tokens import Pack
from mlm_gui.errors import UserError

ASSETS = next(folder for folder in (Path(__file__).parents[2] / "assets", Path(__file__).parents[1] / "assets") if folder.is_dir())
STARTER = "starter"
"""The name of the bundled model."""
LONGEST_SEQUENCE = 512
"""Tokens; longer paragraphs are split even when the model could read more."""
MAX_MODEL_BYTES = 4 * 2**30
"""Largest weights that are downloaded, in bytes."""
HUB_NAME = re.compile(r"(?:[A-Za-z0-9][\w.-]{0,95}/)?[A-Za-z0-9][\w.-]{0,95}")


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

    def __post_init__(self) -> None:
        self.vocabulary = Vocabulary.of(self.tokenizer)
        self.first_position, self.packs = 0, False
        for first_position in (0, (self.tokenizer.pad_token_id or 0) + 1):
            self.first_position = first_position
            if self._packing_is_exact():
                self.packs = True
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
        model = _load_weights(folder, name)
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

    @property
    def max_length(self) -> int:
        """Tokens of the longest sequence this model is given, special tokens included."""
        longest = getattr(self.model.config, "max_position_embeddings", None) or LONGEST_SEQUENCE
        pad = self.tokenizer.pad_token_id or 0
        offset = pad + 1 if self.first_position or self.model.config.model_type in _OFFSET_TYPES else 0
        return max(8, min(longest - offset, self.tokenizer.model_max_length, LONGEST_SEQUENCE))

    def copy(self) -> "MaskedLM":
        """An independent model with the same weights; the tokenizer is shared."""
        return MaskedLM(copy.deepcopy(self.model), self.tokenizer, self.name)

    def save(self, folder: Path) -> None:
        """Writes a folder that `AutoModelForMaskedLM.from_pretrained` loads; written beside and then renamed, so never half there."""
        aside = folder.with_name(folder.name + ".partial")
        shutil.rmtree(aside, ignore_errors=True)
        implementation = self.model.config._attn_implementation
        self.model.config._attn_implementation = "sdpa"
        with _quiet():
            self.model.save_pretrained(aside)
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
        boundaries = F.pad(torch.cumsum(pack.lengths, 0), (1, 0)).tolist()
        with _head_at(self.model, wanted.nonzero().flatten().to(device)):
            output = self.model(
                input_ids=input_ids[None].to(device),
                position_ids=(pack.positions + self.first_position)[None].to(device),
                boundaries=boundaries,
            )
        return output.logits[0]

    def _padded_logits(self, pack: Pack, input_ids: torch.Tensor) -> torch.Tensor:
        """The plain pass of transformers over a padded batch: float [N, vocabulary size]."""
        rows = torch.split(input_ids, pack.lengths.tolist())
        padded = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=self.tokenizer.pad_token_id or 0)
        real = torch.arange(padded.shape[1])[None] < pack.lengths[:, None]
        output = self.model(input_ids=padded.to(self.device), attention_mask=real.long().to(self.device))
        return output.logits[real.to(self.device)]

    @torch.no_grad()
    def _packing_is_exact(self) -> bool:
        """Compares the padding-free pass with the padded one on two random sequences, one of them long enough to meet a sliding window."""
        ordinary = self.vocabulary.ordinary_ids
        generator = torch.Generator().manual_seed(0)
        lengths = torch.tensor([7, min(160, self.max_length)])
        ids = ordinary[torch.randint(len(ordinary), (int(lengths.sum()),), generator=generator)]
        pack, wanted = Pack(ids, lengths, torch.zeros_like(ids, dtype=torch.bool)), torch.ones(len(ids), dtype=torch.bool)
        was_training = self.model.training
        self.model.eval()
        try:
            expected = self._padded_logits(pack, ids)
            self.packs = True
            found = self.logits_at(pack, ids, wanted)
        except (TypeError, ValueError, RuntimeError, IndexError, AttributeError):
            return False  # this architecture takes no such arguments; the padded pass serves it
        finally:
            self.packs = False
            self.model.train(was_training)
        return found.shape == expected.shape and torch.allclose(found, expected, rtol=1e-3, atol=1e-3 * float(expected.std()))


_OFFSET_TYPES = ("roberta", "xlm-roberta", "camembert", "mpnet", "longformer", "data2vec-text")


def packed_attention(module, query, key, value, attention_mask, dropout=0.0, scaling=None, sliding_window=None, boundaries=None, **kwargs):
    """Attention inside each sequence of a pack; with no `boundaries` it is transformers' own scaled-dot-product attention.

    query, key, value: float [1, heads, N, head size]. boundaries: S + 1 offsets into N. Returns float [1, N, heads, head size].
    """
    if boundaries is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs)
    parts = []
    for start, end in zip(boundaries, boundaries[1:], strict=False):
        near = None
        if sliding_window is not None and end - start > sliding_window:
            places = torch.arange(end - start, device=query.device)
            near = (places[:, None] - places[None]).abs() < sliding_window
        parts.append(
            F.scaled_dot_product_attention(
                query[:, :, start:end], key[:, :, start:end], value[:, :, start:end], attn_mask=near, dropout_p=dropout, scale=scaling
            )
        )
    return torch.cat(parts, dim=2).transpose(1, 2).contiguous(), None


def _mask_unless_packed(*args, attention_mask=None, **kwargs):
    """A pack comes without a mask and needs none; a padded batch gets the usual one."""
    return None if attention_mask is None else sdpa_mask(*args, attention_mask=attention_mask, **kwargs)


AttentionInterface.register("packed", packed_attention)
AttentionMaskInterface.register("packed", _mask_unless_packed)


@contextlib.contextmanager
def _head_at(model: torch.nn.Module, places: torch.Tensor) -> Iterator[None]:
    """While it is open, the model's head sees the hidden states at `places` (int64 [W]) only: same numbers, less work."""

    def keep_places(module, arguments, output):
        output["last_hidden_state"] = output[0][:, places]
        return output

    handle = model.base_model.register_forward_hook(keep_places)
    try:
        yield
    finally:
        handle.remove()


def model_folder(name: str) -> Path:
    """Where the model called `name` lies, downloading it when it is a Hub id. Raises UserError when there is none."""
    if name == STARTER:
        return ASSETS / "starter"
    try:
        return Path(name) if name and Path(name).is_dir() else fetch(name)
    except (OSError, ValueError) as error:  # a name too long for the file system, or with a NUL in it
        raise UserError(
            "There is no model of that name.",
            "The name cannot be a folder or a Hub name.",
            "Choose the starter, or a Hub name such as google-bert/bert-base-uncased.",
        ) from error


def load_tokenizer(name: str):
    """The tokenizer of the model called `name`, without its weights. Raises UserError when it cannot be read or has no mask token."""
    folder = model_folder(name)
    if not (folder / "config.json").is_file():
        raise UserError(f"There is no model in {name}.", "The folder has no config.json.", "Choose a folder that a model was saved into.")
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except Exception as error:  # transformers raises many kinds for one cause: the folder holds no usable tokenizer
        raise UserError(
            f"The tokenizer of {name} could not be loaded.",
            f"The library said: “{_first_line(error)}”.",
            "Choose a model folder that holds its tokenizer, or the bundled starter.",
        ) from error
    if not len(Vocabulary.of(tokenizer).ordinary_ids):  # what transformers makes up when the files are missing
        raise UserError(
            f"The tokenizer of {name} could not be loaded.",
            "Its folder holds no vocabulary.",
            "Choose a model folder that holds its tokenizer, or the bundled starter.",
        )
    return tokenizer


def _load_weights(folder: Path, name: str) -> torch.nn.Module:
    """The model of a local folder, on the CPU in float32 and in evaluation mode; raises UserError when anything about it is wrong."""
    if not list(folder.glob("*.safetensors")):
        raise UserError(
            f"The weights of {name} cannot be used.",
            "Only the safe format, safetensors, is loaded, and the folder has none.",
            "Convert the model to safetensors, or choose another one.",
        )
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        options = {
            "config": config,
            "trust_remote_code": False,
            "use_safetensors": True,
            "local_files_only": True,
            "output_loading_info": True,
            "dtype": torch.float32,
        }
        with _quiet():
            try:
                model, report = AutoModelForMaskedLM.from_pretrained(folder, attn_implementation="packed", **options)
            except ValueError:  # an architecture that does not let its attention be chosen
                model, report = AutoModelForMaskedLM.from_pretrained(folder, **options)
    except Exception as error:  # as above: whatever is raised, the folder is not a usable masked language model
        raise UserError(
            f"{name} could not be loaded as a masked language model.",
            f"The library said: “{_first_line(error)}”.",
            "Choose a BERT-like model, or the bundled starter.",
        ) from error
    wrong = sorted(report["missing_keys"]) or [str(key) for key in report["mismatched_keys"]]
    if wrong:
        raise UserError(
            f"{name} has no complete masked-word head.",
            f"Weights are missing or of another shape, for example {wrong[0]}.",
            "Choose a model that was trained with masked-language modelling.",
        )
    if not all(torch.isfinite(parameter).all() for parameter in model.parameters()):
        raise UserError(
            f"The weights of {name} are damaged.", "Some of them are not numbers (NaN or infinite).", "Use an earlier copy, or another model."
        )
    return model.eval()


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars or advice from transformers; what matters is raised as an error."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def fetch(name: str) -> Path:
    """Folder of a Hub model, from the local cache when it is there, else downloaded; its size is checked before any weights are fetched."""
    import huggingface_hub
    from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError, RepositoryNotFoundError

    nowhere = "It is not the bundled starter, not a folder on this machine, and not a Hub name (owner/name)."
    if not HUB_NAME.fullmatch(name) or ".." in name:
        raise UserError(
            f"There is no model called {name[:100]}.",
            nowhere,
            "Choose the starter, or give the path of a model folder or a Hub name such as google-bert/bert-base-uncased.",
        )
    patterns = ["*.json", "*.safetensors", "*.txt", "*.model"]
    try:
        return Path(huggingface_hub.snapshot_download(name, allow_patterns=patterns, local_files_only=True))
    except LocalEntryNotFoundError:
        pass  # not in the cache yet
    try:
        details = huggingface_hub.HfApi().model_info(name, files_metadata=True, timeout=10)
        size = sum(file.size or 0 for file in details.siblings or [] if file.rfilename.endswith(".safetensors"))
        if not size:
            raise UserError(
                f"The weights of {name} cannot be used.",
                "Only the safe format, safetensors, is loaded, and this model has none.",
                "Choose another model.",
            )
        if size > MAX_MODEL_BYTES:
            raise UserError(
                f"{name} is too large.",
                f"Its weights have {size / 2**30:.1f} GB and the limit is {MAX_MODEL_BYTES / 2**30:.0f} GB.",
                "Choose a smaller model.",
            )
        return Path(huggingface_hub.snapshot_download(name, allow_patterns=patterns, etag_timeout=10))
    except GatedRepoError as error:
        raise UserError(
            f"{name} may not be downloaded.",
            "Its owner asks every reader to agree to terms first.",
            "Agree on the model's page and log in with `hf auth login`, or choose another model.",
        ) from error
    except RepositoryNotFoundError as error:
        raise UserError(
            f"There is no model called {name}.",
            "The Hugging Face Hub does not know it, and there is no such folder here.",
            "Check the spelling, or choose the bundled starter.",
        ) from error
    except UserError:
        raise
    except Exception as error:  # the HTTP library under the hub client has changed its name; whatever it raises, the model did not arrive
        raise UserError(
            f"{name} could not be downloaded.",
            f"The Hugging Face Hub did not answer ({type(error).__name__}), and the model is not stored on this machine.",
            "Check the connection, or choose the bundled starter, which needs none.",
        ) from error
