"""Attention inside each sequence of a pack, registered with transformers under the name "packed"."""

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
    """Where the sequences of a pack begin and end."""

    offsets: list[int]
    """S + 1 offsets into the pack."""
    on_device: torch.Tensor
    """int32 [S + 1], the same."""
    longest: int

    @classmethod
    def of(cls, lengths: torch.Tensor, device: torch.device) -> "Boundaries":
        offsets = F.pad(torch.cumsum(lengths, 0), (1, 0))
        return cls(offsets.tolist(), offsets.to(device, torch.int32), int(lengths.max()))


def packed_attention(
    module,
    query,
    key,
    value,
    attention_mask,
    dropout=0.0,
    scaling=None,
    sliding_window=None,
    boundaries=None,
    **kwargs,
):
    """Attention inside each sequence of a pack; with no `boundaries` it is transformers' own scaled-dot-product attention.

    query, key, value: float [1, heads, N, head size]. boundaries: Boundaries. Returns float [1, N, heads, head size].
    """
    if boundaries is None:
        return sdpa_attention_forward(
            module,
            query,
            key,
            value,
            attention_mask,
            dropout=dropout,
            scaling=scaling,
            **{**kwargs, "is_causal": False},
        )
    if (
        query.is_cuda
        and query.dtype in (torch.float16, torch.bfloat16)
        and not dropout
        and torch.cuda.get_device_capability(query.device) >= (8, 0)
    ):
        return _flash_attention(query, key, value, scaling, sliding_window, boundaries), None
    lengths, parts = (
        [
            end - start
            for start, end in zip(boundaries.offsets, boundaries.offsets[1:], strict=False)
        ],
        [],
    )
    # split, not slices: the gradient of all parts is then one concatenation
    for q, k, v in zip(
        query.split(lengths, 2), key.split(lengths, 2), value.split(lengths, 2), strict=True
    ):
        near = None
        if sliding_window is not None and q.shape[2] > sliding_window:
            places = torch.arange(q.shape[2], device=query.device)
            near = (places[:, None] - places[None]).abs() < sliding_window
        parts.append(
            F.scaled_dot_product_attention(
                q, k, v, attn_mask=near, dropout_p=dropout, scale=scaling
            )
        )
    return torch.cat(parts, dim=2).transpose(1, 2).contiguous(), None


def _flash_attention(
    query, key, value, scaling, sliding_window, boundaries: Boundaries
) -> torch.Tensor:
    """All sequences in one call; shapes as in `packed_attention`. Needs a GPU of compute capability 8.0 and half precision."""
    from torch.nn.attention.varlen import varlen_attn

    rows = (part[0].transpose(0, 1).contiguous() for part in (query, key, value))
    window = (-1, -1) if sliding_window is None else (sliding_window - 1, sliding_window - 1)
    ends, longest = boundaries.on_device, boundaries.longest
    return varlen_attn(*rows, ends, ends, longest, longest, scale=scaling, window_size=window)[None]


def _mask_unless_packed(*args, attention_mask=None, **kwargs):
    """A pack comes without a mask and needs none; a padded batch gets the usual one."""
    return (
        None
        if attention_mask is None
        else sdpa_mask(*args, attention_mask=attention_mask, **kwargs)
    )


AttentionInterface.register("packed", packed_attention)
AttentionMaskInterface.register("packed", _mask_unless_packed)
