"""The loop: what it yields, that it learns, and that it refuses what cannot be trained."""

import dataclasses
import math
from itertools import islice, pairwise

import families
import pytest
import torch

from mlm_gui.core.config import CHECKS, RECIPES, TrainConfig
from mlm_gui.core.corpus.corpus import Split
from mlm_gui.core.evaluation.held_out import Exam, evaluate
from mlm_gui.core.masking.policy import EVALUATION_POLICY
from mlm_gui.core.tokens import tokenize
from mlm_gui.core.training.events import Evaluated, Started, Stepped, as_record
from mlm_gui.core.training.loop import train
from mlm_gui.core.training.parameters import parameter_groups, schedule
from mlm_gui.errors import UserError

HUGE = 10**400  # an int that no float can hold
SHORT = TrainConfig(epochs=1, max_steps=6, tokens_per_step=256, evaluations=2)


@pytest.fixture(scope="module")
def split(corpus):
    whole = corpus.split(0.1, 0)
    return Split(whole.train[:40], whole.held_out[:6])


@pytest.fixture(scope="module")
def short_run(lm, split):
    """A copy of the starter, and every event of a short run of it."""
    trained = lm.copy()
    return trained, list(train(trained, split, SHORT))


def test_events_come_in_order(short_run):
    _, events = short_run
    kinds = [type(event) for event in events]
    assert kinds == [Started, Evaluated, *[Stepped] * 3, Evaluated, *[Stepped] * 3, Evaluated]
    assert [event.step for event in events if isinstance(event, Stepped)] == [1, 2, 3, 4, 5, 6]
    assert [event.step for event in events if isinstance(event, Evaluated)] == [0, 3, 6]
    assert events[0].total_steps == 6 and events[0].packed and events[0].device == "cpu"


def test_events_are_plain_values(short_run):
    _, events = short_run
    for event in events:
        assert all(type(value) in (int, float, str, bool) for value in as_record(event).values())


def test_time_and_epochs_only_grow(short_run):
    _, events = short_run
    for name in ("seconds", "epoch"):
        values = [getattr(event, name) for event in events if isinstance(event, Stepped)]
        assert values == sorted(values) and values[0] > 0


def test_one_epoch_passes_over_the_text_once(lm, split):
    config = TrainConfig(epochs=1, tokens_per_step=256, evaluations=1)
    short = Split(split.train[:12], split.held_out)
    steps = [event for event in train(lm.copy(), short, config) if isinstance(event, Stepped)]
    assert steps[-1].epoch == pytest.approx(1)


def test_the_loss_on_held_out_text_falls(lm, corpus):
    config = TrainConfig(epochs=1, tokens_per_step=512, evaluations=1)
    events = list(train(lm.copy(), corpus.split(0.1, 0), config))
    before, after = (event.loss for event in events if isinstance(event, Evaluated))
    assert after < before - 0.05


@pytest.mark.parametrize("kind", families.TOKENIZERS)
def test_every_family_learns(family, split, kind):
    config = TrainConfig(
        epochs=9, max_steps=16, tokens_per_step=512, learning_rate=5e-3, evaluations=1
    )
    losses = losses_of(train(family(kind).copy(), split, config))
    assert sum(losses[-3:]) < sum(losses[:3]) - 0.3


def test_the_same_seed_gives_the_same_losses_to_the_last_digit(lm, split, short_run):
    assert losses_of(train(lm.copy(), split, SHORT)) == losses_of(short_run[1])


def test_the_same_seed_gives_the_same_losses_with_dropout_too(lm, split):
    config = dataclasses.replace(SHORT, dropout=0.2, max_steps=3)
    first = losses_of(train(lm.copy(), split, config))
    torch.rand(7)  # another user of torch's global generator
    assert losses_of(train(lm.copy(), split, config)) == first


def test_another_seed_gives_other_losses(lm, split, short_run):
    config = dataclasses.replace(SHORT, seed=1, max_steps=2)
    assert losses_of(train(lm.copy(), split, config)) != losses_of(short_run[1])[:2]


def losses_of(events) -> list[float]:
    return [event.loss for event in events if isinstance(event, Stepped)]


def exam_of(lm, split) -> Exam:
    store = tokenize(split.held_out, lm.tokenizer, lm.max_length)
    return Exam.of(store, EVALUATION_POLICY, lm)


def test_the_last_evaluation_repeats_to_the_last_digit(short_run, split):
    trained, events = short_run
    exam = exam_of(trained, split)
    score = evaluate(trained, exam)
    assert score == evaluate(trained, exam)
    for name in ("loss", "perplexity", "top1", "top5", "num_masks"):
        assert getattr(score, name) == getattr(events[-1], name)


def test_base_and_tuned_get_the_same_masks(lm, short_run, split):
    trained, _ = short_run
    questions = zip(exam_of(lm, split).questions, exam_of(trained, split).questions, strict=True)
    for (pack, batch), (other_pack, other_batch) in questions:
        assert torch.equal(pack.input_ids, other_pack.input_ids)
        assert torch.equal(batch.input_ids, other_batch.input_ids)
        assert torch.equal(batch.labels, other_batch.labels)


def test_the_masks_of_the_evaluation_do_not_depend_on_the_run_s_seed(lm, split, short_run):
    other_seed = train(lm.copy(), split, dataclasses.replace(SHORT, seed=9))
    first_scores = (short_run[1][1], next(islice(other_seed, 1, None)))
    assert first_scores[0].loss == first_scores[1].loss
    assert first_scores[0].num_masks == first_scores[1].num_masks


def test_a_score_is_what_its_docstring_says(lm, split):
    exam = exam_of(lm, split)
    score = evaluate(lm, exam)
    rows = [
        (
            lm.logits_at(pack, batch.input_ids, batch.chosen).detach().double(),
            batch.labels[batch.chosen],
        )
        for pack, batch in exam.questions
    ]
    logits, right = (torch.cat(column) for column in zip(*rows, strict=True))
    assert score.num_masks == len(right)
    cross_entropy = torch.nn.functional.cross_entropy(logits, right).item()
    assert score.loss == pytest.approx(cross_entropy, rel=1e-6)
    assert score.perplexity == pytest.approx(math.exp(score.loss))
    assert score.top1 == pytest.approx((logits.argmax(1) == right).double().mean().item())
    assert score.top5 == pytest.approx(
        (logits.topk(5).indices == right[:, None]).any(1).double().mean().item()
    )


def test_a_score_has_no_interval_since_the_blanks_of_a_paragraph_are_not_independent(lm, split):
    assert not hasattr(evaluate(lm, exam_of(lm, split)), "interval")


def test_evaluation_switches_dropout_off_and_puts_the_mode_back(lm, split):
    trained = lm.copy()
    exam = exam_of(lm, split)
    trained.model.train()
    assert evaluate(trained, exam) == evaluate(lm, exam)
    assert trained.model.training


def test_closing_the_generator_leaves_usable_weights(lm, split):
    trained = lm.copy()
    events = train(trained, split, SHORT)
    for event in events:
        if isinstance(event, Stepped) and event.step == 2:
            break
    events.close()
    assert not trained.model.training
    assert all(torch.isfinite(parameter).all() for parameter in trained.model.parameters())
    assert not have_equal_weights(trained, lm)


def have_equal_weights(first, second) -> bool:
    pairs = zip(first.model.parameters(), second.model.parameters(), strict=True)
    return all(torch.equal(ours, theirs) for ours, theirs in pairs)


def test_each_step_is_taken_when_its_event_is_asked_for_and_not_before(lm, split):
    trained = lm.copy()
    events = train(trained, split, SHORT)
    assert [type(next(events)) for _ in range(2)] == [Started, Evaluated]
    assert have_equal_weights(trained, lm)
    assert next(events).step == 1
    assert not have_equal_weights(trained, lm)
    after_one_step = trained.copy()
    assert next(events).step == 2
    assert not have_equal_weights(trained, after_one_step)


@pytest.mark.parametrize(
    ("train_text", "held_out"),
    [
        ((), ("Beans.",)),
        (("Beans.",), ("Peas.",)),
        (("🌱 " * 200,), ("Peas.",)),
        (("Sow the beans in April. " * 30,), ("🌱",)),
    ],
)
def test_a_text_too_small_is_refused(lm, train_text, held_out):
    with pytest.raises(UserError, match="too small"):
        next(train(lm, Split(train_text, held_out), SHORT))


def test_a_text_with_pages_of_unknown_characters_is_trained_all_the_same(lm, split):
    """A step's pack may hold no token that can be chosen; that is no reason to stop."""
    trained = lm.copy()
    mixed = Split((*split.train[:5], *["🌱 " * 60] * 40), split.held_out)
    config = TrainConfig(epochs=1, tokens_per_step=128, evaluations=1)
    events = list(train(trained, mixed, config))
    assert isinstance(events[-1], Evaluated)
    assert all(math.isfinite(loss) for loss in losses_of(events))


def test_a_loss_that_is_no_number_stops_the_training(lm, split):
    trained = lm.copy()
    events = train(trained, split, SHORT)
    with pytest.raises(UserError, match="no longer a number"):
        for event in events:
            if isinstance(event, Stepped):
                with torch.no_grad():
                    next(trained.model.parameters()).fill_(math.nan)


def test_weights_broken_by_the_last_step_are_noticed(lm, split, monkeypatch):
    """A step's loss is from before it; the evaluation after it must not report NaN as a score."""
    trained, step = lm.copy(), torch.optim.AdamW.step

    def break_weights(optimizer, *arguments):
        step(optimizer, *arguments)
        with torch.no_grad():
            next(trained.model.parameters()).fill_(math.nan)

    monkeypatch.setattr(torch.optim.AdamW, "step", break_weights)
    with pytest.raises(UserError, match="no longer a number"):
        list(train(trained, split, dataclasses.replace(SHORT, max_steps=1, evaluations=1)))


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        -math.inf,
        -1,
        2**40,
        pytest.param(HUGE, id="huge"),
        True,
        False,
        "3",
        None,
        [1],
        1j,
    ],
)
@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(TrainConfig)])
def test_a_bad_setting_is_refused(name, value):
    if isinstance(value, bool) and isinstance(getattr(TrainConfig(), name), bool):
        return
    with pytest.raises(UserError):
        TrainConfig(**{name: value})


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 1.5},
        {"epochs": 0},
        {"tokens_per_step": 63},
        {"evaluations": 0},
        {"mask_share": 0.8, "random_share": 0.3},
        {"clip": 0},
    ],
)
def test_a_setting_out_of_its_range_is_refused(wrong):
    with pytest.raises(UserError):
        TrainConfig(**wrong)


def test_whole_settings_sent_as_fractions_become_whole():
    config = TrainConfig(epochs=2.0)
    assert config.epochs == 2 and type(config.epochs) is int


def test_every_setting_has_a_check_or_belongs_to_the_policy():
    of_policy = {"mask_rate", "mask_share", "random_share", "unit"}
    assert CHECKS.keys() | of_policy == {field.name for field in dataclasses.fields(TrainConfig)}


def test_the_recipes_are_valid():
    assert {"recommended", "quick"} <= RECIPES.keys() and RECIPES["recommended"] == TrainConfig()


def test_the_learning_rate_rises_and_then_falls_in_straight_lines():
    rates = [schedule(step, 100, 0.1) for step in range(1, 101)]
    assert rates[:10] == pytest.approx([step / 10 for step in range(1, 11)])
    differences = {round(later - earlier, 9) for earlier, later in pairwise(rates[9:])}
    assert len(differences) == 1 and differences.pop() < 0
    assert max(rates) == 1 and 0 < rates[-1] < 0.02


@pytest.mark.parametrize(("total", "warmup"), [(1, 0.0), (1, 1.0), (2, 0.06), (10, 1.0), (3, 0.0)])
def test_the_learning_rate_stays_between_zero_and_its_peak_for_any_length(total, warmup):
    assert all(0 < schedule(step, total, warmup) <= 1 for step in range(1, total + 1))


def test_norms_and_biases_are_spared_from_weight_decay(lm):
    decayed, spared = parameter_groups(lm.model, 0.1)
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.1, 0.0)
    names = {id(parameter): name for name, parameter in lm.model.named_parameters()}
    assert {names[id(parameter)] for parameter in spared["params"]} == {
        name for name in names.values() if "LayerNorm" in name or name.endswith("bias")
    }
    assert len(decayed["params"]) + len(spared["params"]) == len(names)
