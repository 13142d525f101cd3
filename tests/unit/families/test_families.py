"""Every registered family against its table of cases, and what families share."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from vlprm.config.models import Pixels
from vlprm.errors import UserError
from vlprm.families import FAMILIES, check_sides, playing
from vlprm.families.architectures import ARCHITECTURES
from vlprm.families.control_tokens import control_tokens
from vlprm.families.defuse import Defuser
from vlprm.families.family import Family
from vlprm.records import ImageRef, Message

CASES = Path(__file__).resolve().parents[2] / "cases" / "families"
EVERY = pytest.mark.parametrize("name", FAMILIES)


def cases(name: str) -> tuple[Family, dict[str, Any]]:
    return FAMILIES[name], json.loads((CASES / f"{name}.json").read_text(encoding="utf-8"))


def bounds(pixels: list[int]) -> Pixels:
    return Pixels(min=pixels[0], max=pixels[1])


def shown(tokens: int) -> ImageRef:
    """An image that stands for so many visual tokens."""
    return ImageRef(sha256=f"{tokens:064x}", width=1, height=1)


class Tokenizer:
    """As many tokens as ``tokens`` says; the added ones come first."""

    eos_token_id = None

    def __init__(self, tokens: int, added: list[tuple[str, bool]]) -> None:
        self._tokens = tokens
        self.added_tokens_decoder = {
            number: SimpleNamespace(content=text, special=special)
            for number, (text, special) in enumerate(added)
        }
        self.all_special_ids = [n for n, (_, special) in enumerate(added) if special]

    def __len__(self) -> int:
        return self._tokens


@EVERY
def test_images(name: str) -> None:
    family, given = cases(name)
    assert given["sizes"]
    for case in given["sizes"]:
        width, height = case["image"]
        ref, pixels = ImageRef(sha256="0" * 64, width=width, height=height), bounds(case["pixels"])
        assert family.images.size(ref, pixels) == tuple(case["size"]), case
        assert family.images.tokens(ref, pixels) == case["tokens"], case
        family.images.check_sides(width, height, None)
        check_sides(width, height)
    for width, height in given["refused"]:
        with pytest.raises(UserError, match=r"here: an image of \d+x\d+"):
            family.images.check_sides(width, height, "here")
        with pytest.raises(UserError, match="here"):
            check_sides(width, height, "here")
    for case in given["most"]:
        assert family.images.most(bounds(case["pixels"])) == case["tokens"], case
    processor = given["processor"]
    assert family.images.processor(bounds(processor["pixels"])) == processor["options"]


@EVERY
def test_chat_text(name: str) -> None:
    family, given = cases(name)
    assert bool(given["chats"]) == (family.chat is not None)
    spelled = [text for text, _ in given["control"]["added"]]
    for case in given["chats"]:
        messages = [
            Message(
                role=item["role"],
                text=item["text"],
                images=tuple(shown(tokens) for tokens in item.get("images", ())),
            )
            for item in case["messages"]
        ]
        assert family.chat is not None
        text = family.chat(
            messages, case["prefix"], lambda ref: int(ref.sha256, 16), Defuser(spelled)
        )
        assert text == case["text"], case


@EVERY
def test_conversations(name: str) -> None:
    family, given = cases(name)
    assert bool(given["conversations"]) == (family.prm is not None)
    for case in given["conversations"]:
        assert family.prm is not None
        asked = (case["system"], case["question"], case["steps"], case["answers"], case["images"])
        text = family.prm.text(*asked)
        assert text == case["text"], case
        assert text.count(family.prm.answer_header) == len(case["steps"]), case


@EVERY
def test_control_tokens(name: str, tmp_path: Path) -> None:
    family, given = cases(name)
    case = given["control"]
    (tmp_path / "config.json").write_text(json.dumps(case["config"]), encoding="utf-8")
    tokenizer = Tokenizer(case["tokens"], [(text, special) for text, special in case["added"]])
    control = control_tokens(family.tokens, tmp_path, tokenizer)
    assert control.barred == tuple(case["barred"])
    assert control.ends == set(case["ends"])


@EVERY
def test_what_a_family_says_goes_together(name: str) -> None:
    family = FAMILIES[name]
    assert family.name == name
    assert family.engines, "it plays no role"
    assert all(name in playing(role) for role in family.engines)
    assert ("scorer" in family.engines) == (family.prm is not None)
    ours = "transformers" in family.engines.get("policy", ())
    assert ours == (family.chat is not None), "vLLM alone applies the checkpoint's template"
    assert not ours or family.architecture in ARCHITECTURES
    assert family.prm is None or family.architecture == "qwen2_5_vl", "no other scorer is written"


def test_every_table_of_cases_is_of_a_family() -> None:
    assert {path.stem for path in CASES.iterdir()} == set(FAMILIES)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"model_type": "llava"}', r"'llava'.*says qwen2\.5-vl, whose checkpoints are qwen2_5_vl"),
        ('{"model_type": "gemma3"}', "'gemma3'"),
        ("{}", "no checkpoint's configuration .KeyError"),
        (None, "no checkpoint's configuration .FileNotFoundError"),
    ],
)
def test_a_checkpoint_of_another_family_is_refused(
    tmp_path: Path, content: str | None, said: str
) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(UserError, match=said):
        FAMILIES["qwen2.5-vl"].check_checkpoint(tmp_path)
