"""Which ids are barred: read off the mini checkpoint, and off a tokenizer as Gemma 3 has it."""

from __future__ import annotations

import json
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest
from transformers import Qwen2TokenizerFast

from tests.unit.puzzles import SMALL
from vlprm.errors import UserError
from vlprm.families import FAMILIES
from vlprm.families.control_tokens import control_tokens

QWEN, GEMMA = FAMILIES["qwen2.5-vl"].tokens, FAMILIES["gemma3"].tokens
TOKENIZER = Qwen2TokenizerFast.from_pretrained(SMALL)


def test_mini_checkpoint() -> None:
    control = control_tokens(QWEN, SMALL, TOKENIZER)
    assert control.ends == {443, 444}
    assert control.barred == tuple(range(445, 512))
    assert "<|image_pad|>" in control.spellings
    assert "<|im_end|>" in control.spellings


def test_every_spelling_tokenises_without_control_ids() -> None:
    control = control_tokens(QWEN, SMALL, TOKENIZER)
    text = "".join(f"a{name}{name}b" for name in control.spellings)
    assert set(TOKENIZER.encode(text)) & {*control.barred, *control.ends}
    assert not set(TOKENIZER.encode(control.defuse(text))) & {*control.barred, *control.ends}


ADDED = tuple(
    enumerate(
        [
            ("<pad>", True), ("<eos>", True), ("<bos>", True), ("<mask>", False),
            ("[multimodal]", False), ("<unused0>", False), ("<start_of_turn>", True),
            ("<end_of_turn>", True), ("\n\n", False), ("▁▁", False), ("</sup>", False),
        ]
    )
)  # fmt: skip


class GemmaLike:
    """Added tokens as in Gemma 3: unused ones, white space and HTML are not special."""

    eos_token_id = 1
    all_special_ids = (0, 1, 2)
    added_tokens_decoder = MappingProxyType(
        {n: SimpleNamespace(content=text, special=special) for n, (text, special) in ADDED}
    )

    def __len__(self) -> int:
        return 20


def folder(tmp_path: Path, **config: Any) -> Path:
    (tmp_path / "config.json").write_text(json.dumps(config))
    return tmp_path


def test_gemma_keeps_its_white_space_and_markup(tmp_path: Path) -> None:
    where = folder(tmp_path, image_token_index=12, text_config={"vocab_size": 24})
    control = control_tokens(GEMMA, where, GemmaLike())
    assert control.ends == {1, 7}
    assert control.barred == (0, 2, 3, 4, 5, 6, 12, 20, 21, 22, 23)
    assert control.spellings == tuple(
        sorted(["<pad>", "<eos>", "<bos>", "<mask>", "[multimodal]", "<unused0>",
                "<start_of_turn>", "<end_of_turn>"])
    )  # fmt: skip


def test_an_id_without_a_row_is_left_out(tmp_path: Path) -> None:
    where = folder(tmp_path, image_token_id=-200, video_token_id=99, vocab_size=22)
    assert control_tokens(GEMMA, where, GemmaLike()).barred == (0, 2, 3, 4, 5, 6, 20, 21)


def test_ends_come_from_every_place_that_names_one(tmp_path: Path) -> None:
    where = folder(tmp_path, eos_token_id=15, vocab_size=20)
    (where / "generation_config.json").write_text('{"eos_token_id": [1, 9]}')
    assert control_tokens(GEMMA, where, GemmaLike()).ends == {1, 7, 9, 15}


def test_a_checkpoint_without_configuration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"config\.json"):
        control_tokens(QWEN, tmp_path, TOKENIZER)


def test_a_checkpoint_whose_turns_never_end_is_refused(tmp_path: Path) -> None:
    endless = SimpleNamespace(eos_token_id=None, all_special_ids=(), added_tokens_decoder={})
    with pytest.raises(UserError, match="ends a turn"):
        control_tokens(QWEN, folder(tmp_path, vocab_size=4), endless)
