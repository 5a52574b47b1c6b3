"""The list of runs reads a run at rest once, and forgets a run that is gone."""

import pytest

from mlm_gui.core.config import TrainConfig
from mlm_gui.core.corpus.corpus import Corpus
from mlm_gui.core.training.events import Evaluated, Finished, Paused
from mlm_gui.services.runs.registry import Runs, delete
from mlm_gui.services.runs.request import RunRequest
from mlm_gui.services.runs.run import Run
from mlm_gui.services.runs.summary import RunSummaries

SCORE = Evaluated(0, 5.0, 9.0, 0.1, 0.2, 9, 1.0)


@pytest.fixture
def runs(tmp_path):
    return Runs(tmp_path)


@pytest.fixture
def new_run(runs, corpus):
    small = Corpus.from_text("\n".join(corpus.paragraphs[:6]), "almanac")
    request = RunRequest(corpus=small, config=TrainConfig(), held_out=0.3)
    return lambda: runs.create(request)


@pytest.fixture
def looks(monkeypatch) -> list[str]:
    """Ids of the runs whose snapshots were taken."""
    taken: list[str] = []
    snapshot = Run.snapshot
    monkeypatch.setattr(Run, "snapshot", lambda run: (taken.append(run.id), snapshot(run))[1])
    return taken


def test_a_run_at_rest_is_read_once_and_again_when_it_changed(new_run, looks):
    run, summaries = new_run(), RunSummaries()
    run.append(SCORE)
    run.append(Finished(0, "stopped", 1.0))
    assert summaries.line(run).state == "stopped"
    assert summaries.line(run).before == 5.0
    assert looks == [run.id]
    run.rename("Another name")
    assert summaries.line(run).name == "Another name"
    assert looks == [run.id] * 2


def test_runs_that_are_gone_are_forgotten(runs, new_run, looks, monkeypatch):
    gone, stays = new_run(), new_run()
    summaries = RunSummaries()
    for run in (gone, stays):
        run.append(Paused(0, 1.0))
        summaries.line(run)
    found = runs.find(gone.id)
    delete(gone)
    assert runs.find(gone.id) is None and runs.all() == [stays]
    stays.rename("read anew")
    summaries.line(stays)
    assert summaries.num_kept == runs.num_known == 1
    assert found is gone
