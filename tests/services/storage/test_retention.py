"""A server that strangers visit forgets what they brought; a laptop forgets nothing; runs stay."""

import dataclasses
import os

import pytest

from mlm_gui.services.limits import HOSTED, LAPTOP
from mlm_gui.services.storage.retention import sweep

NOW = 2_000_000_000.0


@pytest.fixture
def home(tmp_path):
    """Files by their age in hours, 1,000 bytes each."""
    ages = {
        "texts/old": 25,
        "texts/new": 1,
        "exports/run/secret/a.zip": 30,
        "exports/csv/b.csv": 2,
        "uploads/x/y": 26,
        "runs/r/job.json": 900,
    }
    for name, hours in ages.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 1000)
        os.utime(path, (NOW - 3600 * hours,) * 2)
    return tmp_path


def left(home) -> set[str]:
    return {path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()}


def test_what_is_older_than_a_day_goes_and_the_rest_stays(home):
    assert sweep(home, HOSTED, NOW) == 3
    assert (
        left(home) == {"texts/new", "exports/csv/b.csv", "runs/r/job.json"}
        and not (home / "exports" / "run").exists()
    )
    assert sweep(home, HOSTED, NOW) == 0


def test_beyond_the_bound_the_oldest_go_first(home):
    sweep(home, dataclasses.replace(HOSTED, kept_bytes=1500), NOW)
    assert left(home) == {"texts/new", "runs/r/job.json"}


def test_a_laptop_forgets_nothing(home):
    before = left(home)
    assert sweep(home, LAPTOP, NOW) == 0 and left(home) == before


def test_a_link_is_removed_and_never_followed(home, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    (outside / "precious").write_text("x")
    os.utime(outside / "precious", (NOW - 10**6,) * 2)
    (home / "texts" / "link").symlink_to(outside, target_is_directory=True)
    os.utime(home / "texts" / "link", (NOW - 10**6,) * 2, follow_symlinks=False)
    sweep(home, HOSTED, NOW)
    assert (outside / "precious").exists() and not (home / "texts" / "link").is_symlink()


def test_a_folder_that_goes_while_it_is_looked_at_is_no_harm(home, monkeypatch):
    def gone(path, *_, **__):
        raise FileNotFoundError(path)

    monkeypatch.setattr("os.scandir", gone)
    assert sweep(home, HOSTED, NOW) >= 1
