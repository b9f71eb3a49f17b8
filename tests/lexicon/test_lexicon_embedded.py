"""The lexicon that comes with the package: what is in it, and what is not."""

import os
from pathlib import Path

import pytest

from g2p_build.checkpoints.files import EMBEDDED
from g2p_build.config.compose import variants
from g2p_build.families.g2p.checkpoint import g2p_checkpoint
from g2p_build.reference.scores import read_dictionary
from g2p_build.runtime.lexicon import Table, read_list, spellings

DATA = Path(os.environ.get("G2P_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
"""A folder with the dictionaries dev/ and test/; the project does not have them."""


@pytest.fixture(scope="module")
def words() -> dict[str, dict[str, list[str]]]:
    table = Table((EMBEDDED / "lexicon.g2plex").read_bytes(), "lexicon.g2plex")
    return {lang: dict(table.entries(lang)) for lang in table.words}


def test_it_fits_into_a_phone_or_a_page() -> None:
    assert (EMBEDDED / "lexicon.g2plex").stat().st_size <= 600_000
    assert "ipa-dict" in (EMBEDDED / "LEXICON-NOTICE").read_text(encoding="utf-8")


def test_it_has_words_of_every_language_as_a_look_up_asks_for_them(words: dict[str, dict[str, list[str]]]) -> None:
    checkpoint = g2p_checkpoint(variants()[0])
    assert set(words) == set(checkpoint.languages or ())
    assert checkpoint.text is not None
    text = checkpoint.text.as_json()
    assert not [(lang, word) for lang in words for word in words[lang] if word != spellings(text, word, lang)[0]]


def test_acronyms_come_first_and_words_that_would_be_spelled_are_in_it(words: dict[str, dict[str, list[str]]]) -> None:
    for file in (EMBEDDED / "acronyms").glob("*.tsv"):
        listed = read_list(file.read_bytes(), file.name, file.stem, None)
        assert {word: words[file.stem][word] for word in listed} == listed
    assert "hmm" in words["eng-us"]  # else HMM would be h, m, m


def test_words_that_are_kept_for_scores_are_not_in_it(words: dict[str, dict[str, list[str]]]) -> None:
    if not (DATA / "test").is_dir():
        pytest.skip(f"the dictionaries are not in {DATA}: name their folder in G2P_DATA")
    for part in ("dev", "test"):
        for lang, entries in read_dictionary(DATA / part).items():
            assert not [word for word, _ in entries if word in words[lang]]
