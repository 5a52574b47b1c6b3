"""What is taken from transformers, imported in one place and together.

Transformers imports its own modules on first use, and these import each other. Two threads that enter at two places can each meet
a module that the other has half loaded. Here the first thread loads everything, and any other waits for the end of this module.
"""

import threading

from transformers import (
    AttentionInterface,
    AttentionMaskInterface,
    AutoConfig,
    AutoModelForMaskedLM,
    AutoTokenizer,
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
    "sdpa_attention_forward",
    "sdpa_mask",
    "transformers_logging",
]

BUILDING = threading.Lock()
"""Held while transformers builds a model: it changes state that all threads share, and of two at once one may miss its weights."""
