from pathlib import Path

import pytest

from releve.config import Listen, load, parse_listen, sample
from releve.errors import WrongUse


def _folder(tmp_path: Path, text: str) -> Path:
    (tmp_path / "node.toml").write_text(text, "utf-8")
    return tmp_path


def test_the_file_that_init_writes_works_as_it_is(tmp_path: Path) -> None:
    config = load(_folder(tmp_path, sample("H07", 'Hôpital "Broca"', ("tls://a:4222", "tls://b:4222"))))
    assert config.site_id == "H07"
    assert config.site_name == 'Hôpital "Broca"'
    assert config.http.listen == Listen("127.0.0.1", 8080)
    assert config.mllp.listen == Listen("127.0.0.1", 2575)
    assert config.hubs == ("tls://a:4222", "tls://b:4222")
    assert config.production is False


def test_every_commented_line_of_the_sample_works_when_it_is_uncommented(tmp_path: Path) -> None:
    lines = []
    for line in sample("H07", "x").splitlines():
        bare = line.removeprefix("# ")
        is_setting = line.startswith("# ") and ("=" in bare or bare.startswith("["))
        lines.append(bare if is_setting and "keys/" not in bare else line)
    config = load(_folder(tmp_path, "\n".join(lines)))
    assert config.feeds[0].late_after_s == 300
    assert config.services[0].central is True
    assert config.writebacks[0].port == 2576


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[site]\nid = "H 7"\n', "line 2: .site. id must be 1 to 16 letters"),
        ('[site]\nid = "H7"\n[http]\nlisten = "8080"\n', "line 4: .http. listen must be HOST:PORT"),
        ('[site]\nid = "H7"\n[mllp]\nidle_s = -1\n', "line 4: .mllp. idle_s must be more than 0"),
        ('[site]\nid = "H7"\nzone = "Paris"\n', "line 3: .site. zone must be a time zone"),
        ('[site]\nid = "H7"\n[hubs]\nurls = ["http://x"]\n', "line 4: .hubs. urls must be addresses"),
        ('[site]\nid = "H7"\n[[writeback]]\nname = "x"\nto = "nowhere"\n', "line 5: .writeback.0.. to must be mllp"),
        ('[site]\nid = "H7"\n[dicom]\nlisten = "x"\n', "line 3: dicom is unknown here"),
        ("[http]\n", "site. has no 'id'"),
    ],
)
def test_a_wrong_file_is_refused_by_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(WrongUse, match=words):
        load(_folder(tmp_path, text))


def test_a_folder_without_a_node_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="releve init"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:80", Listen("127.0.0.1", 80)),
        ("[::1]:80", Listen("::1", 80)),
        ("localhost:0", Listen("localhost", 0)),
        ("80", None),
        ("a:b", None),
        ("a:70000", None),
    ],
)
def test_an_address_is_host_and_port(text: str, expected: Listen | None) -> None:
    assert parse_listen(text) == expected
