"""What has happened is a fold over events, and nothing else."""

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
        folded = folded.after(event)
    return folded


def test_an_empty_history_claims_nothing():
    empty = History()
    assert (empty.num_steps, empty.started, empty.ended, empty.seconds_left, empty.losses) == (
        0,
        None,
        None,
        None,
        [],
    )


def test_two_histories_share_nothing():
    history(STARTED, stepped(1, 5.0))
    assert History().losses == []


def test_each_event_finds_its_place():
    score, saved, finished = (
        Evaluated(0, 5.0, 148.4, 0.1, 0.2, 9, 0.5),
        Saved(2, "model"),
        Finished(2, "done", 4.0),
    )
    folded = history(STARTED, score, stepped(1, 5.0), stepped(2, 4.0), saved, finished)
    assert (
        folded.started == STARTED
        and folded.evaluations == (score,)
        and folded.losses == [5.0, 4.0]
        and folded.num_steps == 2
    )
    assert folded.saved == saved and folded.ended == finished and folded.latest == stepped(2, 4.0)
    assert history(Failed("a", "b", "c")).ended == Failed("a", "b", "c")


def test_a_level_loss_is_smooth_from_the_first_step():
    assert history(*[stepped(step, 3.0) for step in range(1, 30)]).smoothed == pytest.approx(
        [3.0] * 29
    )


def test_the_smooth_line_is_the_weighted_mean_of_what_came_before():
    losses, keep = [5.0, 4.0, 6.0, 1.0], 1 - 1 / SMOOTHING_STEPS
    smoothed = history(*[stepped(number + 1, loss) for number, loss in enumerate(losses)]).smoothed
    for last in range(len(losses)):
        weights = [keep ** (last - place) for place in range(last + 1)]
        assert smoothed[last] == pytest.approx(
            sum(weight * loss for weight, loss in zip(weights, losses, strict=False)) / sum(weights)
        )


def test_time_left_is_told_from_the_second_step_to_the_end():
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
    assert (broken.losses, broken.smoothed, broken.evaluations, broken.ended) == (
        whole.losses,
        whole.smoothed,
        (score,),
        None,
    )


def test_a_line_that_could_not_be_read_leaves_a_gap_and_breaks_no_curve():
    folded = history(STARTED, stepped(1, 5.0), stepped(2, 4.0), stepped(4, 3.0))
    assert (
        folded.curve[0] == [1, 2, 4]
        and folded.num_steps == 4
        and len(folded.curve[1]) == len(folded.curve[2]) == 3
    )


def test_a_model_that_is_saved_anew_has_sat_no_exam_yet():
    examined = Examined("better", "Better.", 5.0, 4.0, -1.0, -1.2, -0.8, 0.01, 0.1, 3.0)
    assert history(STARTED, Saved(2, "model"), examined).examined == examined
    assert (
        history(
            STARTED, Saved(2, "model"), examined, Resumed(2, 10, 4.0), Saved(3, "model")
        ).examined
        is None
    )


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
    assert (
        folded.kept_score == scores[2] and folded.best_step_kept is None and not folded.is_trained
    )
    folded = folded.after(Saved(2, "model"))
    assert folded.kept_score == scores[1] and folded.best_step_kept == 2 and folded.is_trained
    folded = folded.after(Resumed(4, 10, 4.0))
    assert (
        folded.kept_score == scores[2] and folded.best_step_kept is None and not folded.is_trained
    )
