"""What the masking preview shows: steps, counts, loss budget, code, and batches of a run."""

import ast
import importlib
import inspect
from dataclasses import replace

import families
import numpy as np
import pytest
import torch

from mlm_gui.core.assets import ASSETS
from mlm_gui.core.config import RECIPES, TrainConfig
from mlm_gui.core.corpus.corpus import Split
from mlm_gui.core.masking import sampling
from mlm_gui.core.masking.counts import chosen_shares, counts_of, expected_histogram
from mlm_gui.core.masking.explanation import draw_masks, draw_of, in_tutorial_mode
from mlm_gui.core.masking.loss_budget import tutorial_budget
from mlm_gui.core.masking.policy import UNITS, Fate, MaskPolicy
from mlm_gui.core.masking.snippet import run_snippet, snippet_of
from mlm_gui.core.masking.steps import steps_of
from mlm_gui.core.tokens import tokenize
from mlm_gui.core.training.loop import train
from mlm_gui.core.training.plan import Plan
from mlm_gui.errors import UserError

TEXT = (
    'Sort the "packets" by kind first:\n\\ beans in one heap, peas in another. '
    "Cotyledonary phaseolus!"
)
ODD_TEXTS = {
    "html": "<img src=x onerror=alert(1)> beans & peas <b>sown</b>",
    "emoji": "Sow the beans 🌱 early 👩‍🌾 in spring",
    "rtl": "beans שלום עולם and السلام عليكم peas",
    "combining": "be\u0301ans and a\u0308pfel ﷽ Z\u0351\u0351\u0351 peas",
    "mask": "Sow [MASK] and <mask> beans {{value}} ${1+1}",
}


@pytest.mark.parametrize("unit", UNITS)
def test_the_preview_shows_what_the_trainer_draws_batch_by_batch(lm, corpus, unit):
    split = corpus.split(0.1, 0)
    config = TrainConfig(epochs=2, tokens_per_step=128, evaluations=1, unit=unit, seed=3)
    trained = lm.copy()
    fed = []
    ask = trained.logits_at

    def listen(pack, input_ids, wanted):
        if trained.model.training:
            fed.append((pack.input_ids, input_ids, wanted))
        return ask(pack, input_ids, wanted)

    trained.logits_at = listen
    list(train(trained, Split(split.train[:9], split.held_out[:2]), config))
    plan = Plan.of(lm, split.train[:9], config)
    assert len(fed) == plan.total_steps >= 4
    for step in range(plan.total_steps, 0, -1):
        pack, batch = plan.batch_at(step)
        tokens = []
        for number in range(len(pack.lengths)):
            draw = draw_of(lm.tokenizer, pack, batch, config.policy, 3, sequence=number)
            tokens += draw.tokens
        ids, seen, wanted = fed[step - 1]
        assert [token.id for token in tokens] == ids.tolist()
        assert [token.input_id for token in tokens] == seen.tolist()
        assert [token.label for token in tokens] == torch.where(wanted, ids, -100).tolist()


def test_in_tutorial_mode_the_preview_shows_one_draw_for_all_epochs_and_a_label_everywhere(
    lm, corpus
):
    split = corpus.split(0.1, 0)
    config = replace(RECIPES["tutorial"], evaluations=1, seed=3)
    trained = lm.copy()
    fed = []
    ask = trained.logits_everywhere

    def listen(pack, input_ids):
        logits, labels = ask(pack, input_ids)
        fed.append((input_ids, labels))
        return logits, labels

    trained.logits_everywhere = listen
    list(train(trained, Split(split.train[:3], split.held_out[:2]), config))
    plan = Plan.of(lm, split.train[:3], config)
    assert len(fed) == plan.total_steps == config.epochs
    hidden = []
    for step, (seen, labels) in enumerate(fed, 1):
        pack, batch = plan.batch_at(step)
        rows = []
        expected_labels = []
        for number in range(len(pack.lengths)):
            draw = draw_of(lm.tokenizer, pack, batch, config.policy, 3, sequence=number)
            row = in_tutorial_mode(draw, plan.row_length)
            rows.append(row)
            expected_labels += [token.label for token in row.tokens]
            expected_labels += [lm.tokenizer.pad_token_id] * row.num_padding
        assert [token.input_id for row in rows for token in row.tokens] == seen.tolist()
        assert labels.tolist() == expected_labels
        hidden.append(sorted([(token.id, token.input_id) for token in row.tokens] for row in rows))
    assert hidden[0] == hidden[1]


@pytest.mark.parametrize("step", [0, -1, 10**9, 1.5, float("nan"), "1", None, True])
def test_a_step_that_the_run_does_not_have_is_refused(lm, corpus, step):
    with pytest.raises(UserError):
        Plan.of(lm, corpus.paragraphs[:9], TrainConfig(epochs=1)).batch_at(step)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("tutorial_mode", [False, True])
@pytest.mark.parametrize(("force", "forbid"), [((), ()), ((3, 6), (4, 5)), ((), tuple(range(60)))])
def test_the_code_draws_exactly_what_is_shown(lm, unit, tutorial_mode, force, forbid):
    policy = MaskPolicy(rate=0.2, mask_share=0.6, random_share=0.3, unit=unit)
    draw = draw_masks(
        lm.tokenizer,
        TEXT,
        policy,
        seed=5,
        force=force,
        forbid=forbid,
        tutorial_mode=tutorial_mode,
    )
    code = snippet_of(draw, TEXT, str(ASSETS / "starter"))
    assert_draws(code, draw)
    assert len(code.splitlines()) <= 25 and ("mlm_gui" in code) == (unit != "token")


@pytest.mark.parametrize("kind", families.TOKENIZERS)
def test_the_code_is_right_for_every_tokenizer_family_and_odd_text(family, family_folder, kind):
    for text in ODD_TEXTS.values():
        for unit in ("token", "span"):
            draw = draw_masks(family(kind).tokenizer, text, MaskPolicy(unit=unit), 1)
            assert_draws(snippet_of(draw, text, str(family_folder(kind)), 256), draw)


def test_the_code_of_a_run_imports_what_exists():
    code = run_snippet("runs/one", "starter", step=2, sequence=1)
    imports = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.ImportFrom)]
    assert len(imports) == 4
    for node in imports:
        module = importlib.import_module(node.module)
        assert all(hasattr(module, alias.name) for alias in node.names)


def assert_draws(code, draw):
    """The code gives the ids, input ids and labels of the draw."""
    names = {}
    exec(code, names)
    for name, field in (("ids", "id"), ("input_ids", "input_id"), ("labels", "label")):
        assert names[name].tolist() == [getattr(token, field) for token in draw.tokens], name


def test_forced_and_forbidden_tokens_have_that_reason_and_special_ones_cannot_be_forced(lm):
    draw = draw_masks(lm.tokenizer, TEXT, MaskPolicy(), 0, force=(0, 2, 999), forbid=(3,))
    assert [draw.tokens[place].mark for place in (0, 2, 3)] == ["", "force", "forbid"]
    assert draw.tokens[0].fate == Fate.SPECIAL
    assert draw.tokens[2].label == draw.tokens[2].id and draw.tokens[3].label == -100
    assert "by you" in draw.tokens[2].why and "left out by you" in draw.tokens[3].why
    assert len(draw.free) == draw.num_maskable - 2


def test_the_tutorial_s_view_has_a_label_everywhere_and_padding_to_512(lm):
    draw = draw_masks(
        lm.tokenizer, TEXT, MaskPolicy(mask_share=1, random_share=0), 0, tutorial_mode=True
    )
    assert all(token.label == token.id for token in draw.tokens)
    assert draw.num_padding == 512 - len(draw.tokens)


@pytest.mark.parametrize("unit", UNITS)
def test_the_steps_lead_from_numbers_to_labels_and_quote_real_code(lm, unit):
    draw = draw_masks(lm.tokenizer, TEXT, MaskPolicy(rate=0.3, unit=unit), 2)
    steps = steps_of(draw)
    source = inspect.getsource(sampling)
    assert len(steps) == 6
    assert all(len(step.cells) == len(step.lit) == len(draw.tokens) for step in steps)
    assert all(line in source for step in steps for line in step.ours.splitlines())
    assert [int(cell) for cell in steps[3].cells if cell] == [
        place for place, token in enumerate(draw.tokens) if token.label != -100
    ]
    assert [int(cell) for cell in steps[4].cells] == [token.input_id for token in draw.tokens]
    assert [int(cell.replace("−", "-")) for cell in steps[5].cells] == [
        token.label for token in draw.tokens
    ]


@pytest.mark.parametrize("unit", UNITS)
def test_counts_add_up_and_are_near_what_chance_gives(lm, unit):
    draw = draw_masks(lm.tokenizer, TEXT * 8, MaskPolicy(unit=unit), 0)
    chosen, *split = counts_of(draw)
    num_words = sum(not token.continues and token.fate != Fate.SPECIAL for token in draw.tokens)
    assert chosen.of == (draw.num_maskable if unit == "token" else num_words)
    assert sum(count.found for count in split) == draw.num_chosen
    assert all(count.of == draw.num_chosen for count in split)
    assert all(count.low <= count.expected <= count.high for count in (chosen, *split))


def test_the_histogram_s_expectation_counts_every_paragraph_once(lm, corpus):
    store = tokenize(corpus.paragraphs, lm.tokenizer, 512)
    shares, sizes = chosen_shares(store, MaskPolicy(), lm.vocabulary, 0)
    assert len(shares) == store.num_sequences
    assert (shares * sizes).sum() / sizes.sum() == pytest.approx(0.15, abs=0.02)
    edges = np.arange(0, 1.05, 0.025) - 1e-9
    expected = expected_histogram(sizes, 0.15, edges)
    drawn, _ = np.histogram(shares, edges)
    assert expected.sum() == pytest.approx(len(sizes))
    assert abs(expected - drawn).sum() < 0.5 * len(sizes)


def test_the_tutorial_s_loss_is_mostly_padding(lm, corpus):
    budget = tutorial_budget(corpus.paragraphs, lm.tokenizer)
    assert budget.total == 512 * len(corpus.paragraphs)
    assert budget.special == 2 * len(corpus.paragraphs)
    assert budget.padding > budget.unmasked > budget.masked > budget.special
    assert budget.masked / (budget.masked + budget.unmasked) == pytest.approx(0.15, abs=0.01)
    assert budget.ours.share("masked") == 1


@pytest.mark.parametrize("name", ODD_TEXTS)
def test_odd_texts_are_drawn_and_spelled(lm, name):
    draw = draw_masks(lm.tokenizer, ODD_TEXTS[name], MaskPolicy(), 0)
    assert draw.num_chosen >= 1 and all(token.token and token.why for token in draw.tokens)
