"""The house: four rooms, arrows one way."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import mlm_gui.core

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "mlm_gui"
LIBRARIES = PACKAGE / "core" / "model" / "libraries.py"
"""The one place that imports transformers, and the one of core that knows threads."""
ROOMS = ("errors", "core", "services", "ui", "cli", "__main__")
"""From the ground up; a module imports from its own room and the ones before it."""
FORBIDDEN = {
    "errors": {"gradio", "plotly", "torch", "transformers", "threading"},
    "core": {"gradio", "plotly", "threading", "multiprocessing", "asyncio", "concurrent"},
    "services": {"gradio", "plotly"},
}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path: Path) -> set[str]:
    """Every module a file imports, inside functions too, by its full name."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are written in full"
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in (
            "importlib.import_module",
            "import_module",
            "__import__",
        ):
            assert path in (PACKAGE / "__init__.py", PACKAGE / "services" / "studio.py"), (
                f"{path}: an import that this test cannot read"
            )
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_downwards_only(path):
    room = room_of(path)
    if room == "__init__":
        room = "core"  # the public names: core and errors
    allowed = ROOMS[: ROOMS.index(room) + 1]
    for name in imports_of(path):
        if name.startswith("mlm_gui.") and len(name.split(".")) > 1:
            assert name.split(".")[1] in allowed, f"{path} imports {name}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_each_room_keeps_out_what_it_must_not_know(path):
    known = {name.split(".")[0] for name in imports_of(path)} - (
        {"threading"} if path == LIBRARIES else set()
    )
    assert not known & FORBIDDEN.get(room_of(path), set())


def test_every_module_stands_in_a_known_room():
    assert {room_of(path) for path in modules()} <= {*ROOMS, "__init__"}


def test_the_public_names_lead_to_core_or_errors():
    assert {name.split(".")[0] for name in mlm_gui.PUBLIC_MODULES.values()} == {"core", "errors"}
    for name in mlm_gui.__all__:
        assert getattr(mlm_gui, name) is not None


def test_the_public_names_are_pinned():
    assert mlm_gui.__all__ == [
        "Corpus",
        "Document",
        "Exam",
        "Fate",
        "MaskPolicy",
        "MaskedBatch",
        "MaskedLM",
        "RECIPES",
        "Score",
        "Split",
        "TokenStore",
        "TrainConfig",
        "UserError",
        "Vocabulary",
        "compare",
        "draw_masks",
        "evaluate",
        "fill",
        "mask_tokens",
        "tokenize",
        "train",
    ]


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError):
        mlm_gui.no_such_name  # noqa: B018


def loaded_after(code: str) -> set[str]:
    """Top-level modules of a fresh Python after running `code`."""
    report = (
        "import json, sys\nprint(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return set(json.loads(shown.stdout.splitlines()[-1]))


def test_importing_the_package_loads_nothing_heavy():
    assert not loaded_after("import mlm_gui") & {
        "torch",
        "transformers",
        "gradio",
        "plotly",
        "numpy",
    }


def test_the_nouns_and_verbs_load_neither_gradio_nor_plotly():
    assert not loaded_after(
        "import mlm_gui\nfor name in mlm_gui.__all__: getattr(mlm_gui, name)\n"
        "import mlm_gui.services.studio"
    ) & {
        "gradio",
        "plotly",
    }


def test_the_shell_s_help_loads_nothing_heavy():
    assert not loaded_after("import mlm_gui.__main__") & {
        "torch",
        "transformers",
        "gradio",
        "plotly",
    }


def test_requirements_are_in_step_with_the_project():
    """A Space installs requirements.txt; only torch differs, where ZeroGPU is older."""
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 cannot read TOML")
    project = set(
        tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
            "dependencies"
        ]
    )
    lines = (
        line.split("#")[0].strip()
        for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    )
    listed = {line for line in lines if line}
    assert listed - project == {"torch>=2.10,<2.12"} and project - listed == {
        next(line for line in project if line.startswith("torch"))
    }


@pytest.mark.parametrize(
    "path",
    [path for path in modules() if room_of(path) in ("core", "services")],
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_no_module_keeps_a_changing_value(path):
    """Module level holds constants only: a list, dict or set there must be in capitals or private
    and is never written by a function.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Global)]


def test_the_page_is_built_before_torch_is_loaded(tmp_path):
    code = f"""
from pathlib import Path
from mlm_gui.services.limits import LAPTOP
from mlm_gui.services.studio import Studio
from mlm_gui.ui.page import build
build(Studio.open(Path({str(tmp_path)!r}), LAPTOP))"""
    assert not loaded_after(code) & {"torch", "transformers", "accelerate"}
