"""Tiny models of every tokenizer family, built offline from the bundled sample text.

Their weights are random and large. A wrong position, a token from a neighbouring sequence or a
missed sliding window then changes the logits far more than rounding does.
"""

import io
import json
from pathlib import Path

import sentencepiece
import torch
import transformers as hf
from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

SAMPLE = Path(__file__).parents[2] / "assets" / "samples" / "seed-almanac.txt"
TOKENIZERS = ("bert", "roberta", "albert", "modernbert")
"""One family for each tokenizer: WordPiece, byte-level BPE, Unigram, BPE with [MASK]."""
ARCHITECTURES = (*TOKENIZERS, "distilbert", "electra")
SIZE = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
}
VOCABULARY_SIZE = 600


def build(kind: str, folder: Path) -> Path:
    """Saves a tokenizer and a random model of `kind`, as real transformers classes, in `folder`."""
    builders = {"roberta": _byte_level, "albert": _sentencepiece, "modernbert": _modern}
    tokenizer = builders.get(kind, _wordpiece)()
    model = _model(kind, tokenizer)
    fill_with_noise(model)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def fill_with_noise(model: torch.nn.Module, seed: int = 0) -> None:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            is_norm = "norm" in name.lower() and name.endswith("weight")
            parameter.copy_(1 + 0.1 * noise if is_norm else 0.3 * noise)


def _model(kind: str, tokenizer) -> torch.nn.Module:
    common = {"vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id}
    if kind == "bert":
        return hf.BertForMaskedLM(hf.BertConfig(**common, **SIZE, max_position_embeddings=256))
    if kind == "roberta":
        return hf.RobertaForMaskedLM(
            hf.RobertaConfig(
                **common,
                **SIZE,
                max_position_embeddings=258,
                type_vocab_size=1,
                bos_token_id=tokenizer.bos_token_id,
                eos_token_id=tokenizer.eos_token_id,
            )
        )
    if kind == "albert":
        return hf.AlbertForMaskedLM(
            hf.AlbertConfig(
                **common,
                **SIZE,
                embedding_size=24,
                max_position_embeddings=256,
                bos_token_id=tokenizer.cls_token_id,
                eos_token_id=tokenizer.sep_token_id,
            )
        )
    if kind == "modernbert":
        special = {
            "bos_token_id": tokenizer.cls_token_id,
            "eos_token_id": tokenizer.sep_token_id,
            "cls_token_id": tokenizer.cls_token_id,
            "sep_token_id": tokenizer.sep_token_id,
        }
        return hf.ModernBertForMaskedLM(
            hf.ModernBertConfig(
                **common,
                **SIZE | {"num_hidden_layers": 3},
                **special,
                max_position_embeddings=256,
                local_attention=16,
                global_attn_every_n_layers=3,
            )
        )
    if kind == "distilbert":
        return hf.DistilBertForMaskedLM(
            hf.DistilBertConfig(
                **common, dim=32, n_layers=2, n_heads=2, hidden_dim=48, max_position_embeddings=256
            )
        )
    if kind == "electra":
        return hf.ElectraForMaskedLM(
            hf.ElectraConfig(**common, **SIZE, embedding_size=24, max_position_embeddings=256)
        )
    raise ValueError(kind)


def _lines() -> list[str]:
    return SAMPLE.read_text(encoding="utf-8").splitlines()


def _wordpiece():
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trained = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    trained.normalizer = normalizers.BertNormalizer()
    trained.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trained.train_from_iterator(
        _lines(),
        trainers.WordPieceTrainer(
            vocab_size=VOCABULARY_SIZE, special_tokens=specials, show_progress=False
        ),
    )
    return hf.BertTokenizerFast(vocab=trained.get_vocab(), model_max_length=256)


def _trained_bpe(specials: list[str]) -> Tokenizer:
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trained.decoder = decoders.ByteLevel()
    trained.train_from_iterator(
        _lines(),
        trainers.BpeTrainer(
            vocab_size=VOCABULARY_SIZE,
            special_tokens=specials,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    return trained


def _byte_level():
    trained = json.loads(_trained_bpe(["<s>", "<pad>", "</s>", "<unk>", "<mask>"]).to_str())[
        "model"
    ]
    mask = AddedToken("<mask>", lstrip=True, normalized=False, special=True)
    return hf.RobertaTokenizerFast(
        vocab=trained["vocab"],
        merges=[tuple(pair) for pair in trained["merges"]],
        mask_token=mask,
        model_max_length=256,
    )


def _modern():
    trained = _trained_bpe(["[UNK]", "[CLS]", "[SEP]", "[PAD]"])
    trained.add_special_tokens([AddedToken("[MASK]", lstrip=True, normalized=False, special=True)])
    # real ModernBERT has such ordinary added tokens
    trained.add_tokens([AddedToken("|||EMAIL_ADDRESS|||", normalized=False)])
    trained.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B [SEP]",
        special_tokens=[(name, trained.token_to_id(name)) for name in ("[CLS]", "[SEP]")],
    )
    return hf.PreTrainedTokenizerFast(
        tokenizer_object=trained,
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        pad_token="[PAD]",
        mask_token="[MASK]",
        model_max_length=256,
        model_input_names=["input_ids", "attention_mask"],
    )


def _sentencepiece():
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(_lines()),
        model_writer=written,
        model_type="unigram",
        vocab_size=VOCABULARY_SIZE,
        pad_id=0,
        unk_id=1,
        bos_id=-1,
        eos_id=-1,
        control_symbols=["[CLS]", "[SEP]", "[MASK]"],
        minloglevel=2,
        num_threads=1,
    )
    trained = sentencepiece.SentencePieceProcessor(model_proto=written.getvalue())
    return hf.AlbertTokenizerFast(
        vocab=[(trained.id_to_piece(i), trained.get_score(i)) for i in range(len(trained))],
        model_max_length=256,
    )


def build_maskless(folder: Path) -> Path:
    """A GPT-2-like model, whose tokenizer has no mask token."""
    trained = json.loads(_trained_bpe(["<|endoftext|>"]).to_str())["model"]
    tokenizer = hf.GPT2TokenizerFast(
        vocab=trained["vocab"], merges=[tuple(pair) for pair in trained["merges"]]
    )
    tokenizer.save_pretrained(folder)
    hf.GPT2LMHeadModel(
        hf.GPT2Config(vocab_size=len(tokenizer), n_embd=16, n_layer=1, n_head=2)
    ).save_pretrained(folder)
    return folder
