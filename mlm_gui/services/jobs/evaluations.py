"""Exams in the background: one at a time, each of them watched and cancelled from the page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlm_gui.core.corpus.corpus import Corpus
from mlm_gui.core.corpus.near_duplicates import num_seen
from mlm_gui.services.jobs.background import BackgroundTask, BackgroundTasks
from mlm_gui.services.limits import Limits
from mlm_gui.services.runs.evaluation import LearnedTexts, examine_again, finished, learned_from
from mlm_gui.services.runs.run import Run

if TYPE_CHECKING:
    from mlm_gui.core.evaluation.report import Material, Report
    from mlm_gui.core.model.masked_lm import MaskedLM


@dataclass
class EvaluationJob(BackgroundTask["Report"]):
    """One exam in the background."""

    is_pair: bool = False
    """True for any two models on any text: such a report is kept in memory only."""

    @property
    def report(self) -> Report | None:
        """None until it is done."""
        return self.result


class EvaluationJobs(BackgroundTasks[EvaluationJob]):
    """All exams that were asked for since the server started."""

    def __init__(self, load: Callable[[str], MaskedLM], limits: Limits) -> None:
        super().__init__("exam", limits)
        self._load = load

    def evaluate_run(self, run: Run, owner: str) -> EvaluationJob:
        """Examines a run against its base model, on its own held-out text.

        The result is kept in the run's folder.
        """
        return self.start(
            EvaluationJob(owner, run.sound_job().name),
            lambda keep_going: examine_again(run, self._load, keep_going),
        )

    def evaluate_pair(
        self, models: tuple[str, str], called: tuple[str, str], corpus: Corpus, owner: str
    ) -> EvaluationJob:
        """Examines any two models, base and tuned, on any text.

        called: the names of the two in the report. The result stays in memory.
        """

        def work(keep_going: Callable[[float], bool]) -> Report | None:
            from mlm_gui.core.evaluation.report import evaluate_both

            base, tuned = (self._load(name) for name in models)
            material = _material_of(corpus, called, (base, tuned))
            return finished(evaluate_both(base, tuned, material), keep_going)

        return self.start(EvaluationJob(owner, corpus.name, is_pair=True), work)


def _material_of(
    corpus: Corpus, called: tuple[str, str], models: tuple[MaskedLM, MaskedLM]
) -> Material:
    """A whole text as held-out text, with how much of it each model learned here."""
    from mlm_gui.core.evaluation.report import Material, bounded, general_paragraphs

    paragraphs = bounded(corpus.paragraphs)
    base, tuned = models
    return Material(
        base_name=called[0],
        tuned_name=called[1],
        text_name=corpus.name,
        held_out=paragraphs,
        known=paragraphs,
        general=general_paragraphs(),
        seen_by_base=num_seen(paragraphs, _learned(base)),
        seen_by_tuned=num_seen(paragraphs, _learned(tuned)),
    )


def _learned(lm: MaskedLM) -> LearnedTexts:
    """The texts a model was trained on here, when it is in a run's folder."""
    folder = Path(str(lm.model.name_or_path))
    return learned_from(folder.parent) if folder.name == "model" else ()
