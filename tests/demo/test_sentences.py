import re

import pytest

from releve.demo.sentences import PHASES, SENTENCES, language


@pytest.mark.parametrize("key", sorted(SENTENCES))
def test_both_languages_say_the_same_things(key: str) -> None:
    fields = [sorted(re.findall(r"{(\w+)", SENTENCES[key][lang])) for lang in ("fr", "en")]
    assert fields[0] == fields[1]


def test_every_phase_has_a_name_in_both_languages() -> None:
    assert all(set(names) == {"fr", "en"} and all(names.values()) for names in PHASES.values())


@pytest.mark.parametrize(("value", "lang"), [("fr_FR.UTF-8", "fr"), ("C.UTF-8", "en"), ("en_GB", "en")])
def test_the_language_is_that_of_the_terminal(monkeypatch: pytest.MonkeyPatch, value: str, lang: str) -> None:
    monkeypatch.delenv("LC_MESSAGES", raising=False)
    monkeypatch.delenv("LANG", raising=False)
    monkeypatch.setenv("LC_ALL", value)
    assert language() == lang
