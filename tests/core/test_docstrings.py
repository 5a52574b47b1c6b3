"""Docstrings refer to names that exist."""

import ast
import re
from pathlib import Path

import pytest

import mlm_gui

CORE = Path(mlm_gui.__file__).parent / "core"
CONSTANT = re.compile(r"\b([a-z_]+(?:\.[a-z_]+)*)\.([A-Z][A-Z_]{2,})\b")
"""A module and a constant in it: "masking.policy.UNITS"."""


def modules() -> list[Path]:
    return sorted(CORE.rglob("*.py"))


def constants_of(path: Path) -> set[str]:
    """Names that a module assigns at its top level."""
    names = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return names


def docstrings_of(path: Path) -> list[str]:
    """Every string that is a statement of its own, attribute docstrings included."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return [
        node.value.value
        for node in nodes
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if isinstance(node.value.value, str)
    ]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(CORE)))
def test_constants_that_docstrings_name_exist(path):
    for docstring in docstrings_of(path):
        for module, constant in CONSTANT.findall(docstring):
            target = "/".join(module.split(".")) + ".py"
            files = [each for each in modules() if str(each).endswith(f"/{target}")]
            assert any(constant in constants_of(each) for each in files), f"{module}.{constant}"
