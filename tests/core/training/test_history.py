"""A history is a fold over events, and nothing else."""

import pytest

from mlm_gui.core.training.events import (
    Evaluated,
    Examined,
    Failed,
    Finished,
    Resumed,
    Saved,
    Started,
    Stepped,
)
from mlm_gui.core.training.history import SMOOTHING_STEPS, History

STARTED = Started(
    total_steps=10,
    epochs=1,
    num_train_tokens=1000,
    num_held_out_tokens=100,
    num_parameters=5,
    learning_rate=1e-3,
    device="cpu",
    packed=True,
)


def stepped(step: int, loss: float) -> Stepped:
    return Stepped(step, step / 10, loss, 1e-3, 100.0, 2.0 * step)


def history(*events) -> History:
    folded = History()
    for event in events:
        folded.add(event)
    return folded


def test_an_empty_history_claims_nothing():
    empty = History()
    assert (empty.num_steps, empty.losses) == (0, [])
    assert empty.started is empty.ended is empty.seconds_left is None


def test_two_histories_share_nothing():
    history(STARTED, stepped(1, 5.0))
    assert History().losses == []


def test_each_event_finds_its_place():
    score = Evaluated(0, 5.0, 148.4, 0.1, 0.2, 9, 0.5)
    saved = Saved(2, "model")
    finished = Finished(2, "done", 4.0)
    folded = history(STARTED, score, stepped(1, 5.0), stepped(2, 4.0), saved, finished)
    assert (folded.started, folded.evaluations) == (STARTED, [score])
    assert (folded.losses, folded.num_steps) == ([5.0, 4.0], 2)
    assert (folded.saved, folded.ended, folded.latest) == (saved, finished, stepped(2, 4.0))
    assert history(Failed("a", "b", "c")).ended == Failed("a", "b", "c")


def test_a_constant_loss_is_smooth_from_the_first_step():
    assert history(*[stepped(step, 3.0) for step in range(1, 30)]).smoothed == pytest.approx(
        [3.0] * 29
    )


def test_the_smoothed_loss_is_the_weighted_mean_of_the_losses_so_far():
    losses, keep = [5.0, 4.0, 6.0, 1.0], 1 - 1 / SMOOTHING_STEPS
    smoothed = history(*[stepped(number + 1, loss) for number, loss in enumerate(losses)]).smoothed
    for last in range(len(losses)):
        weights = [keep ** (last - place) for place in range(last + 1)]
        assert smoothed[last] == pytest.approx(
            sum(weight * loss for weight, loss in zip(weights, losses, strict=False)) / sum(weights)
        )


def test_time_left_is_known_from_the_second_step_to_the_end():
    assert history(STARTED, stepped(1, 5.0)).seconds_left is None
    assert history(STARTED, stepped(1, 5.0), stepped(2, 5.0)).seconds_left == pytest.approx(16.0)
    assert history(STARTED, stepped(2, 5.0), Finished(2, "stopped", 4.0)).seconds_left is None


def test_a_resumed_run_forgets_what_came_after_its_checkpoint():
    score = Evaluated(0, 5.0, 148.4, 0.1, 0.2, 9, 0.5)
    late = Evaluated(3, 3.0, 20.1, 0.1, 0.2, 9, 0.5)
    broken = history(
        STARTED,
        score,
        stepped(1, 5.0),
        stepped(2, 4.0),
        stepped(3, 9.0),
        late,
        Failed("a", "b", "c"),
        Resumed(2, 10, 4.0),
        stepped(3, 3.5),
    )
    whole = history(STARTED, score, stepped(1, 5.0), stepped(2, 4.0), stepped(3, 3.5))
    assert (broken.losses, broken.smoothed) == (whole.losses, whole.smoothed)
    assert (broken.evaluations, broken.ended) == ([score], None)


def test_a_line_that_could_not_be_read_leaves_a_gap_and_breaks_no_curve():
    folded = history(STARTED, stepped(1, 5.0), stepped(2, 4.0), stepped(4, 3.0))
    steps, losses, smoothed = folded.curve
    assert steps == [1, 2, 4] and folded.num_steps == 4
    assert len(losses) == len(smoothed) == 3


def test_a_model_that_is_saved_again_is_not_yet_evaluated():
    examined = Examined("better", "Better.", 5.0, 4.0, -1.0, -1.2, -0.8, 0.01, 0.1, 3.0)
    first = (STARTED, Saved(2, "model"), examined)
    assert history(*first).examined == examined
    assert history(*first, Resumed(2, 10, 4.0), Saved(3, "model")).examined is None


def test_after_an_early_stop_the_kept_score_counts_and_while_it_trains_the_latest():
    scores = [
        Evaluated(step, loss, 9.0, 0.1, 0.2, 9, 0.5)
        for step, loss in ((0, 5.0), (2, 3.0), (4, 3.5))
    ]
    folded = history(
        STARTED,
        scores[0],
        *map(stepped, (1, 2), (5.0, 4.0)),
        scores[1],
        *map(stepped, (3, 4), (4.0, 4.0)),
        scores[2],
    )
    training = (scores[2], None, False)
    assert (folded.kept_score, folded.best_step_kept, folded.is_trained) == training
    folded.add(Saved(2, "model"))
    assert (folded.kept_score, folded.best_step_kept, folded.is_trained) == (scores[1], 2, True)
    folded.add(Resumed(4, 10, 4.0))
    assert (folded.kept_score, folded.best_step_kept, folded.is_trained) == training
