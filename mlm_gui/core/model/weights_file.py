"""What is wrong with a weights file, as far as its first bytes and its size show it."""

import json
from pathlib import Path

from mlm_gui.errors import UserError

_LFS_POINTER = b"version https://git-lfs.github.com/spec"
_LENGTH_BYTES = 8
"""A safetensors file begins with the length of its header, a little-endian integer."""
_MAX_HEADER_BYTES = 100_000_000
"""The limit of the safetensors library."""


def check_weights(folder: Path, name: str) -> None:
    """Raises UserError when a safetensors file of the model `name` did not arrive whole."""
    for path in sorted(folder.glob("*.safetensors")):
        damage = _damage_of(path)
        if damage:
            raise UserError(
                f"The weights of {name} cannot be used.",
                f"{path.name} {damage}.",
                "Copy or download the model again.",
            )


def _damage_of(path: Path) -> str:
    """What is wrong with the file; empty when it looks whole."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if file.read(len(_LFS_POINTER)) == _LFS_POINTER:
            return "is only a pointer of Git LFS (`git lfs pull` brings the weights themselves)"
        file.seek(0)
        header_bytes = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        if header_bytes > _MAX_HEADER_BYTES:
            return "is no safetensors file: it begins with something else"
        header = file.read(header_bytes)
    whole_size = _LENGTH_BYTES + header_bytes
    if len(header) == header_bytes:
        whole_size += _data_bytes(header)
    if size < whole_size:
        return f"is cut off: it has {size:,} of at least {whole_size:,} bytes"
    return ""


def _data_bytes(header: bytes) -> int:
    """Bytes of the tensors that a header names; 0 for a header that cannot be read."""
    try:
        entries = [value for key, value in json.loads(header).items() if key != "__metadata__"]
        return max((int(entry["data_offsets"][1]) for entry in entries), default=0)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        return 0  # the library reports what is wrong with it
