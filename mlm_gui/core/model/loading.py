"""Finds and loads a model by name: the bundled starter, a local folder, or the Hugging Face Hub."""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import torch

from mlm_gui.core.assets import ASSETS, STARTER
from mlm_gui.core.masking.sampling import Vocabulary
from mlm_gui.core.model.hub import fetch
from mlm_gui.core.model.libraries import (
    BUILDING,
    AutoConfig,
    AutoModelForMaskedLM,
    AutoTokenizer,
    PreTrainedModel,
    transformers_logging,
)
from mlm_gui.core.model.weights_file import check_weights
from mlm_gui.core.tokenizer import Tokenizer
from mlm_gui.errors import UserError

_SHOWN_CHARACTERS = 200
"""An error message quotes this much of what a library said."""


def model_folder(name: str) -> Path:
    """Folder of the model called `name`; a Hub model is downloaded first.

    Raises UserError when there is no such model.
    """
    if name == STARTER:
        return ASSETS / "starter"
    try:
        return Path(name) if name and Path(name).is_dir() else fetch(name)
    except (OSError, ValueError) as error:  # too long for the file system, or with a NUL in it
        raise UserError(
            "There is no model of that name.",
            "The name cannot be a folder or a Hub name.",
            "Choose the starter, or a Hub name such as google-bert/bert-base-uncased.",
        ) from error


def load_tokenizer(name: str) -> Tokenizer:
    """The tokenizer of the model called `name`, without the model's weights.

    Raises UserError when it cannot be read or has no mask token.
    """
    folder = model_folder(name)
    if not (folder / "config.json").is_file():
        raise UserError(
            f"There is no model in {name}.",
            "The folder has no config.json.",
            "Choose a folder that a model was saved into.",
        )
    try:
        with BUILDING:
            loaded = AutoTokenizer.from_pretrained(
                folder, trust_remote_code=False, local_files_only=True
            )
    except Exception as error:  # transformers raises many kinds for an unusable tokenizer
        raise UserError(
            f"The tokenizer of {name} could not be loaded.",
            f"The library said: “{_first_line(error)}”.",
            "Choose a model folder that holds its tokenizer, or the bundled starter.",
        ) from error
    tokenizer = cast(Tokenizer, loaded)  # transformers' classes are loaded by name, so untyped
    # when the files are missing, transformers makes up a tokenizer without any words
    if not len(Vocabulary.of(tokenizer).ordinary_ids):
        raise UserError(
            f"The tokenizer of {name} could not be loaded.",
            "Its folder holds no vocabulary.",
            "Choose a model folder that holds its tokenizer, or the bundled starter.",
        )
    return tokenizer


def load_weights(folder: Path, name: str) -> PreTrainedModel:
    """The model of a local folder, on the CPU, in float32 and in evaluation mode.

    Raises UserError when anything about it is wrong.
    """
    if not list(folder.glob("*.safetensors")):
        raise UserError(
            f"The weights of {name} cannot be used.",
            "Only the safe format, safetensors, is loaded, and the folder has none.",
            "Convert the model to safetensors, or choose another one.",
        )
    check_weights(folder, name)
    try:
        model, wrong = _read_model(folder)
    except Exception as error:  # transformers raises many kinds for an unusable model
        raise UserError(
            f"{name} could not be loaded as a masked language model.",
            f"The library said: “{_first_line(error)}”.",
            "Choose a BERT-like model, or the bundled starter.",
        ) from error
    if wrong:
        raise UserError(
            f"{name} has no complete masked-word head.",
            f"Weights are missing or of another shape, for example {wrong[0]}.",
            "Choose a model that was trained with masked-language modelling.",
        )
    if not all(torch.isfinite(parameter).all() for parameter in model.parameters()):
        raise UserError(
            f"The weights of {name} are damaged.",
            "Some of them are not numbers (NaN or infinite).",
            "Use an earlier copy, or another model.",
        )
    model.train(False)
    return model


def _read_model(folder: Path) -> tuple[PreTrainedModel, list[str]]:
    """The model and the names of its weights that are missing or have another shape."""
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    options = {
        "config": config,
        "trust_remote_code": False,
        "use_safetensors": True,
        "local_files_only": True,
        "output_loading_info": True,
        "dtype": torch.float32,
    }
    with BUILDING, quiet():
        try:
            model, report = AutoModelForMaskedLM.from_pretrained(
                folder, attn_implementation="packed", **options
            )
        except ValueError:  # an architecture that does not let its attention be chosen
            model, report = AutoModelForMaskedLM.from_pretrained(folder, **options)
    wrong = sorted(report["missing_keys"]) or [str(key) for key in report["mismatched_keys"]]
    return model, wrong


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:_SHOWN_CHARACTERS]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No progress bars or advice from transformers; errors are raised as usual."""
    level = transformers_logging.get_verbosity()
    had_bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity(logging.ERROR)
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # not annotated
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        if had_bars:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]  # likewise
