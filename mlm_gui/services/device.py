"""Which device trains."""

import torch


def training_device() -> torch.device:
    """The first CUDA device that works here, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
