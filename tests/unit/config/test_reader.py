"""A configuration file as read: syntax errors with place and cure, lines of keys, duplicates."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vlprm.config.checked import ConfigError, load_config
from vlprm.config.reader import read_config
from vlprm.errors import UserError

CASES: list[dict[str, str]] = json.loads(Path(__file__).with_name("cases_syntax.json").read_text())


def written(tmp_path: Path, text: str | bytes) -> Path:
    file = tmp_path / "run.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_what_is_no_configuration(tmp_path: Path, case: dict[str, str]) -> None:
    file = written(tmp_path, case["text"])
    with pytest.raises(UserError) as caught:
        read_config(file)
    assert caught.value.where == (f"{file}:{case['place']}" if case["place"] else str(file))
    assert case["what"] in caught.value.what
    assert case["cure"] in str(caught.value.cure)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nope\.yaml: no such file"):
        read_config(tmp_path / "nope.yaml")
    with pytest.raises(UserError, match="cannot be read"):
        read_config(tmp_path)
    with pytest.raises(UserError, match=r"run\.yaml:2: not UTF-8"):
        read_config(written(tmp_path, b"run: x\nmodels: \xff\n"))
    with pytest.raises(UserError, match="never merged"):
        read_config([tmp_path / "a.yaml", tmp_path / "b.yaml"])


def test_json_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    assert read_config(written(tmp_path, '{\n\t"run": "x"\n}')).data == {"run": "x"}
    assert read_config(written(tmp_path, b"\xef\xbb\xbfrun: x\n")).data == {"run": "x"}


def test_a_key_that_stands_twice_is_named_with_both_lines(tmp_path: Path) -> None:
    read = read_config(written(tmp_path, "a:\n  b: 1\n  c: 2\n  b: 3\nd: {e: 1, e: 2}\n"))
    assert [(item.key, item.what) for item in read.twice] == [
        ("a.b", "stands twice, in lines 2 and 4"),
        ("d.e", "stands twice, in lines 5 and 5"),
    ]


def test_duplicates_are_told_with_whatever_else_is_wrong(tmp_path: Path) -> None:
    file = written(tmp_path, "run: x\nrun: y\nsead: 1\n")
    with pytest.raises(ConfigError) as caught:
        load_config(read_config(file))
    said = str(caught.value)
    assert f"{file}:2: run: stands twice, in lines 1 and 2" in said
    assert f"{file}:3: sead: unknown key; did you mean 'seed'?" in said


def test_lines_of_merged_and_aliased_keys(tmp_path: Path) -> None:
    text = "a: &a\n  x: 1\n  y: {z: 2}\nb:\n  <<: *a\n  x: 3\nc: *a\nd: [1,\n  2]\n"
    read = read_config(written(tmp_path, text))
    assert read.data["b"] == {"x": 3, "y": {"z": 2}}
    places = {("b", "x"): 6, ("b", "y", "z"): 3, ("c", "x"): 2, ("d", 1): 9, ("b", "none"): 4}
    assert {loc: read.line(loc) for loc in places} == places


def test_an_alias_inside_its_own_value_ends(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="alias inside"):
        read_config(written(tmp_path, "a: &a\n  b: *a\n"))


def test_aliases_of_aliases_are_refused_and_not_walked_for_ever(tmp_path: Path) -> None:
    rows = ["a: &a0 [x, x]"] + [f"b{k}: &a{k} [*a{k - 1}, *a{k - 1}]" for k in range(1, 40)]
    path = tmp_path / "run.yaml"
    path.write_text("\n".join(rows), encoding="utf-8")
    with pytest.raises(UserError, match="more than 20000 keys and items"):
        read_config(path)
