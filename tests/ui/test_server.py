"""How the page is launched."""

import argparse
import os
import sys
import types

import pytest

from mlm_gui.cli.app import open_app


@pytest.fixture
def imported_with(monkeypatch):
    """The environment in which the shell imports the server, and with it gradio."""
    environment = {}

    class Server(types.ModuleType):
        def __getattr__(self, name):
            environment.update(os.environ)
            return lambda **options: environment.update(options)

    monkeypatch.setitem(sys.modules, "mlm_gui.ui.server", Server("mlm_gui.ui.server"))
    return environment


def options(**given) -> argparse.Namespace:
    values = {"host": "127.0.0.1", "port": 7860, "home": None, "profile": None, "hub_models": None}
    return argparse.Namespace(**{**values, **given})


def test_uploads_are_kept_in_the_home_folder_from_the_moment_gradio_is_imported(
    imported_with, monkeypatch, tmp_path
):
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")  # so that it is put back afterwards
    monkeypatch.delenv("GRADIO_TEMP_DIR")
    open_app(options(home=tmp_path))
    assert imported_with["GRADIO_TEMP_DIR"] == str(tmp_path / "uploads")


def test_a_folder_for_uploads_that_the_person_has_set_stays(imported_with, monkeypatch, tmp_path):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "elsewhere"))
    open_app(options(home=tmp_path))
    assert imported_with["GRADIO_TEMP_DIR"] == str(tmp_path / "elsewhere")
