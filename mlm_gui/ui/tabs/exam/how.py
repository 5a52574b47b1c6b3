"""Where each number of an exam comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlm_gui.core.evaluation.statistics import NUM_RESAMPLES
from mlm_gui.core.masking.policy import EVALUATION_POLICY

if TYPE_CHECKING:
    from mlm_gui.core.evaluation.report import Report

HOW_WORDS_WERE_CHOSEN = {
    "name": "How the words were chosen",
    "text": "Words that are more frequent in the text than in general English (log-likelihood "
    "keyness, Dunning 1993), the most typical first, in turns; words of at least four letters "
    "that carry meaning and are a single piece for the model. Each stands once in a sentence that "
    "was not trained on, and is shown as a blank there. A model is right when the word is its "
    "first guess; else its place is told. It is an illustration: the verdict rests on the loss.",
}
LOSS_AND_PERPLEXITY = (
    "Loss is the mean surprise at the hidden piece, −ln of the probability the model gave it. "
    "Perplexity is exp(loss): as if the model had to choose among so many equally likely pieces."
)
TOP_GUESSES = (
    "The share of hidden pieces that are the model's first guess, or among its first five."
)
INTERVALS = (
    f"Whole paragraphs drawn again, with replacement, {NUM_RESAMPLES:,} times: words of one "
    "paragraph are not independent, so the paragraph is what is drawn. Paragraphs that say nearly "
    "the same count as one."
)
P_VALUE = (
    "If it did not matter which model is which, each paragraph's difference could as well have "
    "the other sign. p is the share of sign patterns "
    f"({NUM_RESAMPLES:,} random ones, or all of them when there are few paragraphs) that give as "
    "large a difference as was seen. A difference is called one only if p is below 0.05 and the "
    "interval leaves out zero."
)
GENERAL_ENGLISH = (
    "News, letters, recipes, science, dialogue, law, sport and stories written for this program: "
    "what the model could do before and may have forgotten while it learned."
)


def how(report: Report) -> list[dict[str, str]]:
    """Where each number comes from, with this exam's own counts."""
    stories = {
        "Blanks": _blanks(report),
        "Loss and masked-token perplexity": LOSS_AND_PERPLEXITY,
        "Not the figure of the Train tab": _other_figure(len(report.unseen.seeds)),
        "Top-1, top-5": TOP_GUESSES,
        "Intervals": INTERVALS,
        "p": P_VALUE,
        "General English": GENERAL_ENGLISH,
    }
    return [{"name": name, "text": text} for name, text in stories.items()]


def _blanks(report: Report) -> str:
    unseen, general = report.unseen, report.forgetting
    seeds = ", ".join(map(str, unseen.seeds))
    return (
        f"{EVALUATION_POLICY.rate:.0%} of the pieces, "
        f"drawn {len(unseen.seeds)} times (seeds {seeds}) "
        f"and all hidden: {unseen.num_masks:,} blanks in {unseen.num_clusters} paragraphs of "
        f"unseen text, {general.num_masks:,} in {general.num_clusters} of general English. "
        "Both models meet the same ones."
    )


def _other_figure(num_draws: int) -> str:
    return (
        "While a run trains, its unseen text is asked one draw of blanks, to be quick; the exam "
        f"makes {num_draws} draws over the same paragraphs (of a long text over a smaller choice "
        "of them). Other blanks, other figures, for base and tuned alike: compare the two models "
        "within one of them."
    )
