"""Attention inside each sequence of a pack; transformers knows it as "packed"."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from mlm_gui.core.model.libraries import (
    AttentionInterface,
    AttentionMaskInterface,
    sdpa_attention_forward,
    sdpa_mask,
)


@dataclass(frozen=True)
class Boundaries:
    """Where the sequences of a pack start and end."""

    offsets: list[int]
    """S + 1 offsets into the pack."""
    on_device: torch.Tensor
    """int32 [S + 1], the same offsets."""
    longest: int
    """Tokens of the longest sequence."""

    @classmethod
    def of(cls, lengths: torch.Tensor, device: torch.device) -> "Boundaries":
        offsets = F.pad(torch.cumsum(lengths, 0), (1, 0))
        return cls(offsets.tolist(), offsets.to(device, torch.int32), int(lengths.max()))

    @property
    def lengths(self) -> list[int]:
        """Tokens of each sequence."""
        pairs = zip(self.offsets[:-1], self.offsets[1:], strict=True)
        return [end - start for start, end in pairs]


def packed_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    sliding_window: int | None = None,
    boundaries: Boundaries | None = None,
    **options: object,
) -> tuple[torch.Tensor, None]:
    """Attention inside each sequence of a pack; transformers' own where there are no `boundaries`.

    The parameters up to `sliding_window` are those that transformers passes. query, key, value:
    float [1, heads, N, head size]. Returns float [1, N, heads, head size].
    """
    if boundaries is None:
        attend: Callable[..., tuple[torch.Tensor, None]] = sdpa_attention_forward
        options["is_causal"] = False
        return attend(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **options
        )
    if not dropout and _has_flash_attention(query):
        return flash_attention(query, key, value, scaling, sliding_window, boundaries), None
    # split, not slices: the gradient of all sequences is then one concatenation
    queries = torch.split(query, boundaries.lengths, 2)
    keys = torch.split(key, boundaries.lengths, 2)
    values = torch.split(value, boundaries.lengths, 2)
    attended = [
        F.scaled_dot_product_attention(
            q, k, v, attn_mask=_near(q, sliding_window), dropout_p=dropout, scale=scaling
        )
        for q, k, v in zip(queries, keys, values, strict=True)
    ]
    return torch.cat(attended, dim=2).transpose(1, 2).contiguous(), None


def _near(query: torch.Tensor, sliding_window: int | None) -> torch.Tensor | None:
    """bool [T, T], True for tokens inside the window; None when every token is."""
    num_tokens = query.shape[2]
    if sliding_window is None or num_tokens <= sliding_window:
        return None
    positions = torch.arange(num_tokens, device=query.device)
    return (positions[:, None] - positions[None]).abs() < sliding_window


def _has_flash_attention(query: torch.Tensor) -> bool:
    """True for half precision on a GPU of compute capability 8.0 or more."""
    if not query.is_cuda or query.dtype not in (torch.float16, torch.bfloat16):
        return False
    return torch.cuda.get_device_capability(query.device) >= (8, 0)


def flash_attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    scaling: float | None,
    sliding_window: int | None,
    boundaries: Boundaries,
) -> torch.Tensor:
    """Attention inside all sequences in one call of the GPU; shapes as in `packed_attention`."""
    from torch.nn.attention.varlen import varlen_attn

    window = (-1, -1) if sliding_window is None else (sliding_window - 1, sliding_window - 1)
    attended = varlen_attn(
        _token_first(query),
        _token_first(key),
        _token_first(value),
        boundaries.on_device,
        boundaries.on_device,
        boundaries.longest,
        boundaries.longest,
        scale=scaling,
        window_size=window,
    )
    assert isinstance(attended, torch.Tensor)  # a tuple only when more than that is asked for
    return attended[None]


def _token_first(heads: torch.Tensor) -> torch.Tensor:
    """float [N, heads, head size] from float [1, heads, N, head size]."""
    return heads[0].transpose(0, 1).contiguous()


def _mask_unless_packed(
    *sizes: int, attention_mask: torch.Tensor | None = None, **options: object
) -> torch.Tensor | None:
    """The usual mask of a padded batch; None for a pack, which comes without one."""
    if attention_mask is None:
        return None
    make_mask: Callable[..., torch.Tensor | None] = sdpa_mask
    return make_mask(*sizes, attention_mask=attention_mask, **options)


AttentionInterface.register("packed", packed_attention)
AttentionMaskInterface.register("packed", _mask_unless_packed)
