"""The models that the benchmarks train: the starter, and random ones of the usual sizes (speed and
memory do not depend on what the weights say).
"""

import tempfile
from pathlib import Path

import torch
from transformers import AutoModelForMaskedLM, BertConfig, BertForMaskedLM

from mlm_gui.core.model.loading import load_tokenizer, model_folder, quiet

SIZES = {
    "base": BertConfig(),
    "small": BertConfig(
        num_hidden_layers=6, hidden_size=384, num_attention_heads=6, intermediate_size=1536
    ),
}
"""BERT's own size, and half its layers at half its width; both with the 30,522 rows of BERT's
vocabulary.
"""


def folder_of(size: str, home: Path) -> Path:
    """A model folder of that size: the starter's own, or a random one written into `home`.

    A random one has the starter's tokenizer, since BERT's is not bundled: half of the output rows
    are words that never occur, and cost the same.
    """
    if size == "starter":
        return model_folder("starter")
    folder = home / size
    torch.manual_seed(0)
    with quiet():
        BertForMaskedLM(SIZES[size]).save_pretrained(folder)
        load_tokenizer("starter").save_pretrained(folder)
    return folder


def plain_model(folder: Path) -> torch.nn.Module:
    """The model as transformers itself loads it, with its own attention: what the loops of others
    train.
    """
    with quiet():
        return AutoModelForMaskedLM.from_pretrained(folder, dtype=torch.float32)


def scratch() -> tempfile.TemporaryDirectory:
    """A folder for `folder_of`, gone when it is closed."""
    return tempfile.TemporaryDirectory(prefix="mlm-benchmark-")
