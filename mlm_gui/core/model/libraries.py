"""Everything that is used of transformers, imported in one place and together.

Transformers imports its own modules on first use, and these import each other. Two threads that
start at different places can each meet a module that the other has half loaded. Here the first
thread loads everything, and any other thread waits until this module is loaded.
"""

import threading

from transformers import (
    AttentionInterface,
    AttentionMaskInterface,
    AutoConfig,
    AutoModelForMaskedLM,
    AutoTokenizer,
    PreTrainedModel,
)
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask
from transformers.utils import logging as transformers_logging

__all__ = [
    "BUILDING",
    "AttentionInterface",
    "AttentionMaskInterface",
    "AutoConfig",
    "AutoModelForMaskedLM",
    "AutoTokenizer",
    "PreTrainedModel",
    "sdpa_attention_forward",
    "sdpa_mask",
    "transformers_logging",
]

BUILDING = threading.Lock()
"""Held while transformers builds a model.

Building changes state that all threads share, and of two models at once one may miss its weights.
"""
