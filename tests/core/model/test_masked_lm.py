"""The padding-free pass against transformers' own padded one, and evaluation mode."""

import math

import families
import pytest
import torch
import transformers as hf

from mlm_gui.core.assets import ASSETS
from mlm_gui.core.masking.policy import IGNORED, MaskPolicy
from mlm_gui.core.masking.sampling import mask_tokens
from mlm_gui.core.model.masked_lm import MaskedLM, evaluating
from mlm_gui.core.tokens import Pack, tokenize
from mlm_gui.core.training.parameters import set_dropout

IMPLEMENTATIONS = ("sdpa", "eager")


@pytest.fixture(scope="module")
def question(corpus):
    """A pack of several sequences, short and long, and its draw."""

    def ask(lm):
        store = tokenize(
            ("Beans.", *corpus.paragraphs[:5], "Sow peas early, and lift them late."),
            lm.tokenizer,
            lm.max_length,
        )
        pack = store.pack(range(store.num_sequences))
        assert len(pack.lengths) >= 7 and pack.lengths.max() > 50
        batch = mask_tokens(
            pack.input_ids,
            lm.vocabulary.maskable(pack.input_ids),
            MaskPolicy(),
            lm.vocabulary,
            torch.Generator().manual_seed(3),
            sequences=pack.sequences,
        )
        return pack, batch

    return ask


def padded(pack: Pack, values: torch.Tensor, filler: int) -> torch.Tensor:
    return torch.nn.utils.rnn.pad_sequence(
        torch.split(values, pack.lengths.tolist()), batch_first=True, padding_value=filler
    )


def reference_loss(folder, implementation, lm, pack, batch):
    """transformers alone: its own model, padded rows, labels of -100, and its own loss."""
    model = hf.AutoModelForMaskedLM.from_pretrained(
        folder, attn_implementation=implementation
    ).eval()
    ids = padded(pack, batch.input_ids, lm.tokenizer.pad_token_id)
    labels = padded(pack, batch.labels, IGNORED)
    real = padded(pack, torch.ones_like(batch.input_ids), 0)
    return model, model(input_ids=ids, attention_mask=real, labels=labels).loss


def our_loss(lm, pack, batch):
    return torch.nn.functional.cross_entropy(
        lm.logits_at(pack, batch.input_ids, batch.chosen), batch.labels[batch.chosen]
    )


def gradients(model, loss) -> dict[str, torch.Tensor]:
    model.zero_grad()
    loss.backward()
    return {
        name: parameter.grad.clone()
        for name, parameter in model.named_parameters()
        if parameter.grad is not None
    }


@pytest.mark.parametrize("kind", families.ARCHITECTURES)
def test_the_usual_architectures_run_without_padding(family, kind):
    assert family(kind).packs


def test_the_starter_runs_without_padding(lm):
    assert lm.packs and lm.skips_early


@pytest.mark.parametrize("kind", ["bert", "roberta", "electra", "distilbert"])
def test_the_last_feed_forward_sees_the_chosen_tokens_alone(family, question, kind):
    lm = family(kind)
    pack, batch = question(lm)
    widen = [
        module
        for module in lm.model.base_model.modules()
        if isinstance(module, torch.nn.Linear) and module.out_features == 48
    ]
    rows = []
    handles = [
        module.register_forward_hook(lambda module, arguments, output: rows.append(output.shape[1]))
        for module in widen
    ]
    with torch.no_grad():
        lm.logits_at(pack, batch.input_ids, batch.chosen)
    for handle in handles:
        handle.remove()
    assert rows == [len(pack.input_ids), int(batch.chosen.sum())]


def test_tokens_are_dropped_before_the_head_where_dropping_them_earlier_fails_the_trial(
    family_folder, question, monkeypatch
):
    monkeypatch.setattr(
        "mlm_gui.core.model.masked_lm.position_wise_module",
        lambda model: model.base_model.encoder.layer[-1].attention,
    )
    lm = MaskedLM.load(family_folder("bert"))
    pack, batch = question(lm)
    assert lm.packs and not lm.skips_early
    with torch.no_grad():
        torch.testing.assert_close(
            lm.logits_at(pack, batch.input_ids, batch.chosen),
            lm.padded_logits(pack, batch.input_ids)[batch.chosen],
            rtol=1e-5,
            atol=1e-4,
        )


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("kind", families.ARCHITECTURES)
def test_the_packed_loss_and_gradients_equal_the_padded_reference(
    family, family_folder, question, kind, implementation
):
    lm = family(kind)
    pack, batch = question(lm)
    model, expected = reference_loss(family_folder(kind), implementation, lm, pack, batch)
    found = our_loss(lm, pack, batch)
    assert math.isclose(found.item(), expected.item(), rel_tol=1e-5)

    theirs, ours = gradients(model, expected), gradients(lm.model, found)
    lm.model.zero_grad()
    assert theirs.keys() == ours.keys()
    whole = math.sqrt(sum(float(gradient.norm()) ** 2 for gradient in theirs.values()))
    for name, gradient in theirs.items():
        # the key bias has a true gradient of 0: only rounding is left of it
        scale = max(float(gradient.norm()), 5e-3 * whole)
        assert float((gradient - ours[name]).norm()) <= 2e-5 * scale, name


def test_the_starter_s_packed_loss_equals_the_padded_reference(lm, question):
    pack, batch = question(lm)
    _, expected = reference_loss(ASSETS / "starter", "sdpa", lm, pack, batch)
    assert math.isclose(our_loss(lm, pack, batch).item(), expected.item(), rel_tol=1e-5)


@pytest.mark.parametrize("kind", families.ARCHITECTURES)
def test_a_wrong_packing_would_be_noticed(family, question, kind):
    """The comparison above can fail: one long sequence in place of many gives another loss."""
    lm = family(kind)
    pack, batch = question(lm)
    ids = pack.input_ids[: lm.max_length]
    continues = pack.continues[: lm.max_length]
    joined = Pack(ids, torch.tensor([len(ids)]), continues)
    short = Pack(ids, lengths_within(pack.lengths, lm.max_length), continues)
    wanted = torch.ones(len(ids), dtype=torch.bool)
    with torch.no_grad():
        joined_logits = lm.logits_at(joined, ids, wanted)
        short_logits = lm.logits_at(short, ids, wanted)
    assert (joined_logits - short_logits).abs().max() > 0.1


def lengths_within(lengths: torch.Tensor, total: int) -> torch.Tensor:
    kept, left = [], total
    for length in lengths.tolist():
        kept.append(min(length, left))
        left -= kept[-1]
        if not left:
            break
    return torch.tensor(kept)


def test_the_sliding_window_matters(family, question):
    """Without its window the tiny ModernBERT gives other logits, so a missed one is noticed."""
    lm = family("modernbert")
    ids = lm.vocabulary.ordinary_ids[
        torch.randint(500, (120,), generator=torch.Generator().manual_seed(0))
    ]
    pack = Pack(ids, torch.tensor([120]), torch.zeros(120, dtype=torch.bool))
    wanted = torch.ones(120, dtype=torch.bool)
    with torch.no_grad():
        windowed = lm.logits_at(pack, ids, wanted)
        windows = {
            module: module.sliding_window
            for module in lm.model.modules()
            if hasattr(module, "sliding_window")
        }
        for module in windows:
            module.sliding_window = None
        unlimited = lm.logits_at(pack, ids, wanted)
        for module, window in windows.items():
            module.sliding_window = window
    assert any(windows.values()) and (windowed - unlimited).abs().max() > 0.1


@pytest.mark.parametrize("kind", families.ARCHITECTURES)
def test_the_head_at_chosen_places_gives_the_dense_head_s_logits(family, question, kind):
    lm = family(kind)
    pack, batch = question(lm)
    with torch.no_grad():
        dense = lm.logits_at(pack, batch.input_ids, torch.ones_like(batch.chosen))
        sparse = lm.logits_at(pack, batch.input_ids, batch.chosen)
        plain = lm.padded_logits(pack, batch.input_ids)
    assert sparse.shape == (int(batch.chosen.sum()), lm.model.config.vocab_size)
    torch.testing.assert_close(sparse, dense[batch.chosen], rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(sparse, plain[batch.chosen], rtol=1e-5, atol=1e-4)


def test_a_model_that_cannot_be_packed_gets_padded_batches(family, question):
    lm = family("bert").copy()
    pack, batch = question(lm)
    expected = our_loss(lm, pack, batch).item()
    lm.packs = False
    assert math.isclose(our_loss(lm, pack, batch).item(), expected, rel_tol=1e-5)


@pytest.mark.parametrize("kind", families.ARCHITECTURES)
def test_dropout_of_zero_leaves_nothing_to_chance(family, question, kind):
    lm = family(kind).copy()
    pack, batch = question(lm)
    lm.model.train()
    set_dropout(lm.model, 0.5)
    with torch.no_grad():
        assert not torch.equal(
            lm.logits_at(pack, batch.input_ids, batch.chosen),
            lm.logits_at(pack, batch.input_ids, batch.chosen),
        )
        set_dropout(lm.model, 0.0)
        first, again = (lm.logits_at(pack, batch.input_ids, batch.chosen) for _ in range(2))
    assert torch.equal(first, again)


@pytest.mark.parametrize("was_training", [True, False])
def test_a_model_is_in_its_former_mode_after_an_evaluation_and_after_an_error(lm, was_training):
    evaluated = lm.copy()
    evaluated.model.train(was_training)
    with evaluating(evaluated):
        assert not evaluated.model.training and not torch.is_grad_enabled()
    assert evaluated.model.training == was_training
    with pytest.raises(ZeroDivisionError), evaluating(evaluated):
        raise ZeroDivisionError
    assert evaluated.model.training == was_training and torch.is_grad_enabled()


def test_a_copy_is_independent(family):
    lm = family("bert")
    before = {name: parameter.clone() for name, parameter in lm.model.named_parameters()}
    copied = lm.copy()
    with torch.no_grad():
        for parameter in copied.model.parameters():
            parameter.zero_()
    for name, parameter in lm.model.named_parameters():
        assert torch.equal(before[name], parameter)


def test_a_loaded_model_is_in_evaluation_mode_and_float32(lm):
    assert not lm.model.training
    assert {parameter.dtype for parameter in lm.model.parameters()} == {torch.float32}
