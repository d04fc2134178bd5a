from pathlib import Path

import pytest

from releve.errors import WrongUse
from releve.wire.toml import Table, read_toml

FILE = """\
title = "x"

[site]
id = "H01"
beds = 12

[[feed]]
name = "a"

[[feed]]
name = "b"
late_after_s = "soon"
"""


def _read(tmp_path: Path, text: str = FILE) -> Table:
    path = tmp_path / "node.toml"
    path.write_text(text, "utf-8")
    return read_toml(path)


def test_values_come_with_their_kind(tmp_path: Path) -> None:
    top = _read(tmp_path)
    assert top.table("site").text("id") == "H01"
    assert top.table("site").count("beds") == 12
    assert [feed.text("name") for feed in top.tables("feed")] == ["a", "b"]
    assert top.table("absent").number("x", 3) == 3.0


def test_a_wrong_value_in_the_second_of_two_tables_is_refused_by_its_own_line(tmp_path: Path) -> None:
    feed = _read(tmp_path).tables("feed")[1]
    with pytest.raises(WrongUse, match=r"line 12: \[feed\[1\]\] late_after_s must be a number; found 'soon'"):
        feed.number("late_after_s")


def test_an_unknown_key_is_refused_with_what_is_known(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match=r"line 5: \[site\] beds is unknown here; known are: id, name"):
        _read(tmp_path).table("site").only("id", "name")


def test_a_missing_key_is_refused_at_the_header_of_its_table(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match=r"line 3: \[site\] has no 'name'; expected a text in quotes"):
        _read(tmp_path).table("site").text("name")


def test_true_is_no_number(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="must be a number; found True"):
        _read(tmp_path, "x = true\n").number("x")


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"x = \n", "line 1"), (b"\xff\xfe", "not UTF-8"), (b"a = 1\na = 2\n", "line 2")],
)
def test_what_is_not_toml_is_refused_with_the_place(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "node.toml"
    path.write_bytes(content)
    with pytest.raises(WrongUse, match=words):
        read_toml(path)


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="cannot be read: No such file"):
        read_toml(tmp_path / "none.toml")
