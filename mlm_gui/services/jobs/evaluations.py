"""Exams asked for from the page: they are sat in the background, one at a time, and can be watched and cancelled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlm_gui.core.corpus.corpus import Corpus
from mlm_gui.core.corpus.near_duplicates import num_seen
from mlm_gui.services.jobs.background import BackgroundTask, BackgroundTasks
from mlm_gui.services.limits import Limits
from mlm_gui.services.runs.evaluation import examine_again, finished, learned_from
from mlm_gui.services.runs.run import Run

if TYPE_CHECKING:
    from mlm_gui.core.evaluation.report import Report
    from mlm_gui.core.model.masked_lm import MaskedLM


@dataclass
class EvaluationJob(BackgroundTask):
    """One exam in the background."""

    is_pair: bool = False
    """Of any two models on any text: its report is kept in memory alone."""

    @property
    def report(self) -> Report | None:
        """None until it is done."""
        return self.result


class EvaluationJobs(BackgroundTasks):
    """All exams of this server that were asked for since it started."""

    def __init__(self, load: Callable[[str], MaskedLM], limits: Limits) -> None:
        super().__init__("exam", limits)
        self._load = load

    def evaluate_run(self, run: Run, owner: str) -> EvaluationJob:
        """Examines a run against the model it started from, on its own unseen text, and keeps the result in its folder."""
        return self.start(
            EvaluationJob(owner, run.job.name),
            lambda keep_going: examine_again(run, self._load, keep_going),
        )

    def evaluate_pair(
        self, models: tuple[str, str], called: tuple[str, str], corpus: Corpus, owner: str
    ) -> EvaluationJob:
        """Examines any two models, base and tuned, on any text; `called` is how the report names them. The result stays in memory."""

        def work(keep_going: Callable[[float], bool]) -> Report | None:
            from mlm_gui.core.evaluation.report import (
                Material,
                bounded,
                evaluate_both,
                general_paragraphs,
            )

            base, tuned = map(self._load, models)
            unseen = bounded(corpus.paragraphs)
            seen = (num_seen(unseen, _learned(lm)) for lm in (base, tuned))
            return finished(
                evaluate_both(
                    base,
                    tuned,
                    Material(*called, corpus.name, unseen, unseen, general_paragraphs(), *seen),
                ),
                keep_going,
            )

        return self.start(EvaluationJob(owner, corpus.name, is_pair=True), work)


def _learned(lm: MaskedLM) -> tuple[Sequence[str], ...]:
    """The texts a model was trained on here, when it lies in a run's folder."""
    folder = Path(lm.model.name_or_path)
    return learned_from(folder.parent) if folder.name == "model" else ()
