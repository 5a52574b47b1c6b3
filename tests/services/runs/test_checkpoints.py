"""A checkpoint is on the disk whole or not at all, and a damaged one is never used."""

import errno
import json
import os
import shutil
import subprocess

import pytest
import torch

from mlm_gui.core.training.state import State
from mlm_gui.services.runs import checkpoints as module
from mlm_gui.services.runs.checkpoints import (
    MANIFEST,
    NUMBERS,
    PARTIAL,
    TENSORS,
    CannotWrite,
    Checkpoints,
)


def state(step: int, best_step: int = 0, size: int = 1000) -> State:
    weights = torch.full((size,), float(step))
    return State(
        {"weights.a": weights, "exp_avg.a": weights.clone().view(-1, 10).t()},
        {"step": step, "best_step": best_step, "best_loss": 0.1 + step},
    )


@pytest.fixture
def checkpoints(tmp_path) -> Checkpoints:
    return Checkpoints(tmp_path / "checkpoints")


def same(one: State, other: State) -> bool:
    return one.numbers == other.numbers and all(
        torch.equal(tensor, other.tensors[name]) for name, tensor in one.tensors.items()
    )


def test_a_state_comes_back_to_the_last_bit(checkpoints):
    size = checkpoints.write(state(3))
    found, skipped_checkpoints = checkpoints.newest_whole()
    assert same(found, state(3)) and skipped_checkpoints == () and checkpoints.checkpoint_step == 3
    assert size <= checkpoints.bytes_used <= checkpoints.bytes_needed(state(3))


def test_without_a_checkpoint_there_is_nothing_to_go_on_from(checkpoints):
    assert checkpoints.newest_whole() == (None, ()) and (
        checkpoints.checkpoint_step,
        checkpoints.bytes_used,
    ) == (0, 0)


def test_the_newest_and_the_best_are_kept_and_nothing_else(checkpoints):
    used = []
    for step in range(1, 12):
        checkpoints.write(state(step, best_step=min(step, 4)))
        used.append(checkpoints.bytes_used)
    assert sorted(folder.name.rpartition("-")[2] for folder in checkpoints.folder.iterdir()) == [
        "11",
        "4",
    ]
    assert same(checkpoints.at(4), state(4, 4)) and checkpoints.at(7) is None
    assert max(used) <= 2 * checkpoints.bytes_needed(state(1)), (
        "the disk use does not grow with the run"
    )


def test_a_run_that_went_back_to_an_older_step_goes_on_from_what_it_wrote_last(checkpoints):
    checkpoints.write(state(9))
    checkpoints.write(state(5))
    assert checkpoints.newest_whole()[0].numbers["step"] == checkpoints.checkpoint_step == 5


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


SPOILERS = {
    "truncated": lambda path: os.truncate(path, path.stat().st_size - 1),
    "flipped": flip,
    "emptied": lambda path: os.truncate(path, 0),
    "deleted": lambda path: path.unlink(),
}


@pytest.mark.parametrize("name", [TENSORS, NUMBERS, MANIFEST])
@pytest.mark.parametrize("spoil", SPOILERS.values(), ids=SPOILERS)
def test_a_damaged_file_makes_the_previous_checkpoint_be_used_and_that_is_said(
    checkpoints, name, spoil
):
    checkpoints.write(state(4, best_step=4))
    checkpoints.write(state(6, best_step=4))
    spoil(next(checkpoints.folder.glob("*-6")) / name)
    found, skipped_checkpoints = checkpoints.newest_whole()
    assert same(found, state(4, 4))
    assert (
        len(skipped_checkpoints) == 1
        and "step 6" in skipped_checkpoints[0]
        and name in skipped_checkpoints[0]
    )


def test_every_bit_of_a_manifest_counts(checkpoints):
    checkpoints.write(state(6))
    path = next(checkpoints.folder.glob("*-6")) / MANIFEST
    content = path.read_bytes()
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        assert checkpoints.newest_whole()[0] is None and checkpoints.checkpoint_step == 0


def test_a_checkpoint_of_another_version_is_passed_over(checkpoints):
    checkpoints.write(state(4, best_step=4))
    checkpoints.write(state(6, best_step=4))
    path = next(checkpoints.folder.glob("*-6")) / MANIFEST
    manifest = {**json.loads(path.read_text()), "format": 99}
    del manifest["sha256"]
    path.write_text(json.dumps({**manifest, "sha256": module.digest_of(manifest)}))
    found, skipped_checkpoints = checkpoints.newest_whole()
    assert same(found, state(4, 4)) and "another version" in skipped_checkpoints[0]


def test_leftovers_of_a_killed_program_are_not_used_and_are_swept(checkpoints):
    checkpoints.write(state(4))
    half = checkpoints.folder / f"000002-step-5{PARTIAL}"
    shutil.copytree(next(checkpoints.folder.glob("*-4")), half)
    assert checkpoints.newest_whole()[0].numbers["step"] == 4
    checkpoints.write(state(5))
    assert not half.exists() and checkpoints.checkpoint_step == 5


@pytest.mark.parametrize(
    "number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO]
)
@pytest.mark.parametrize(
    "call", ["safetensors.torch.save_file", "mlm_gui.services.runs.checkpoints.flush_to_disk"]
)
def test_a_disk_that_takes_nothing_leaves_the_earlier_checkpoint_and_nothing_half_written(
    checkpoints, monkeypatch, number, call
):
    checkpoints.write(state(4))

    def refuse(*_):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(call, refuse)
        with pytest.raises(CannotWrite, match=os.strerror(number)):
            checkpoints.write(state(5))
    assert [folder.name.rpartition("-")[2] for folder in checkpoints.folder.iterdir()] == ["4"]
    assert same(checkpoints.newest_whole()[0], state(4))
    checkpoints.write(state(5))
    assert checkpoints.checkpoint_step == 5, "it goes on when there is room again"


def test_too_little_room_is_seen_before_anything_is_written(checkpoints, monkeypatch):
    checkpoints.write(state(4))
    monkeypatch.setattr("safetensors.torch.save_file", lambda *_: pytest.fail("it wrote"))
    monkeypatch.setattr(
        shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 1000)
    )
    with pytest.raises(CannotWrite, match="nearly full"):
        checkpoints.write(state(5))


def test_what_reads_back_differently_is_not_kept_and_the_older_one_is(checkpoints, monkeypatch):
    checkpoints.write(state(4))
    monkeypatch.setattr(
        module, "check_hashes", lambda *_: (_ for _ in ()).throw(module.Damaged("it was changed"))
    )
    with pytest.raises(CannotWrite):
        checkpoints.write(state(5))
    assert [folder.name.rpartition("-")[2] for folder in checkpoints.folder.iterdir()] == ["4"]


def test_nothing_on_the_disk_is_a_pickle(checkpoints):
    checkpoints.write(state(4))
    (folder,) = checkpoints.folder.iterdir()
    assert sorted(path.name for path in folder.iterdir()) == sorted([TENSORS, NUMBERS, MANIFEST])
    assert json.loads((folder / NUMBERS).read_text()) == state(4).numbers


@pytest.fixture
def small_disk(tmp_path):
    """A real disk of one megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    made = (
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], capture_output=True
        )
        if hasattr(os, "geteuid")
        else None
    )
    if made is None or made.returncode:
        pytest.skip("only root may mount a small disk")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_disk_that_is_really_full_or_read_only_keeps_the_earlier_checkpoint(
    small_disk, monkeypatch
):
    monkeypatch.setattr(
        shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 0, 10**9)
    )  # as under a quota, which it does not know
    checkpoints = Checkpoints(small_disk)
    checkpoints.write(state(4, size=50_000))
    with pytest.raises(CannotWrite, match="No space left"):
        checkpoints.write(state(5, size=500_000))
    assert same(checkpoints.newest_whole()[0], state(4, size=50_000)) and not list(
        small_disk.glob(f"*{PARTIAL}")
    )
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(CannotWrite, match="Read-only"):
        checkpoints.write(state(5))
    assert same(checkpoints.newest_whole()[0], state(4, size=50_000))
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    monkeypatch.undo()
    with pytest.raises(CannotWrite, match="nearly full"):
        checkpoints.write(state(5, size=50_000))
