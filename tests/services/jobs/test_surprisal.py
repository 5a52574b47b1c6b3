"""A surprisal job can be watched from its first word on."""

import pytest

from mlm_gui.core.corpus.corpus import Corpus
from mlm_gui.services.jobs.surprisal import SurprisalJobs
from mlm_gui.services.limits import LAPTOP

PATIENCE = 60.0
SENTENCE = "Sow the beans in a warm bed, and lift the peas when the pods are dry."


@pytest.fixture
def jobs(studio):
    jobs = SurprisalJobs(studio.models, LAPTOP)
    yield jobs
    jobs.close()


@pytest.mark.parametrize("num_paragraphs", [1, 2])
def test_progress_grows_word_by_word_within_a_paragraph_too(jobs, num_paragraphs, monkeypatch):
    shares = []
    start = jobs.start

    def watched(job, work):
        keep_going = job.keep_going
        job.keep_going = lambda share: (shares.append(share), keep_going(share))[1]
        return start(job, work)

    monkeypatch.setattr(jobs, "start", watched)
    job = jobs.read(Corpus.from_text("\n".join([SENTENCE] * num_paragraphs)), *["starter"] * 2, "")
    assert job.over.wait(PATIENCE) and job.state == "done"
    assert len(job.words) == job.num_words
    assert shares == sorted(shares) and shares[-1] == 1.0
    assert len(set(shares)) >= 2 * job.num_words - 1, "each word counts once for each model"
