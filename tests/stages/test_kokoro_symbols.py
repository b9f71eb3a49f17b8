"""How phonemes of our G2P become Kokoro's symbols, and symbols ids; and the C that says the same."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from small_kokoro import SHAPE

import g2p_build
from g2p_build.checkpoints.kokoro.config import architecture_from_shape, vocabulary_of
from g2p_build.checkpoints.kokoro.losses import spoken
from g2p_build.checkpoints.kokoro.packages import ORIGIN
from g2p_build.checkpoints.kokoro.phonemes import TABLES, own_vocabulary
from g2p_build.errors import BuildError
from g2p_build.models.kokoro.architecture import KOKORO_82M, to_json
from g2p_build.stages.kokoro import symbols as stage


@pytest.mark.parametrize(
    ("lang", "phonemes", "symbols"),
    [
        ("eng-us", "hɛˈɫoʊ", "hɛlˈO"),  # stress before the vowel, a letter for a diphthong
        ("eng-us", "ˈɫəndən", "lˈʌndən"),  # one vowel of the dictionary is two, by stress
        ("eng-us", "ˈstupɝ", "stˈupəɹ"),
        ("eng-us", "ˌmɪsˈhɝd", "mˌɪshˈɜɹd"),
        ("eng-us", "ˈdʒɔɪ ˈtʃaɪɫd", "ʤˈY ʧˈIld"),
        ("eng-us", "ˈhaʊ, ˈmeɪ!", "hˈW, mˈA!"),
        ("spa-latin", "ɾural", "ruɾal"),  # the dictionary's signs for trill and tap are the other way round
        ("spa-latin", "pɛɾo", "pero"),
        ("spa-latin", "onra", "onra"),
        ("spa-latin", "agwa", "aɣwa"),
        ("spa-latin", "alrɛdɛdor", "alreðeðoɾ"),
        ("spa-latin", "inbalidas", "imbaliðas"),
        ("spa-latin", "dignas", "diɡnas"),
        ("spa-latin", "jo", "ʝo"),
    ],
)
def test_a_pronunciation_becomes_what_kokoro_reads(lang: str, phonemes: str, symbols: str) -> None:
    found = spoken(TABLES[lang], phonemes)
    assert (found.symbols, found.stress, found.unknown) == (symbols, 0, "")


def test_what_is_lost_is_said() -> None:
    found = spoken(TABLES["eng-us"], "ˈhm ˈys, qy")
    assert found.symbols == "hm s, "
    assert found.stress == 2  # of a word without a vowel, and of one whose vowel the table has not
    assert found.unknown == "yq"


@pytest.mark.parametrize("lang", TABLES)
def test_a_table_leads_to_symbols_of_the_published_model(lang: str) -> None:
    published = set("AIOQSTWYabcdefhijklmnopqrstuvwxyzæçðøŋœɐɑɒɔɕɖəɚɛɜɟɡɣɤɥɨɪɯɰɲɳɴɸɹɻɽɾʁʂʃʈʊʋʌʎʒʔʝʣʤʥʦʧʨʰʲˈˌːβθχᵊᵝᵻ")
    assert {symbol for each in TABLES[lang].rows.values() for symbol in each} <= published


def built(tmp_path: Path, params: dict[str, Any] | None = None, vocabulary: dict[str, int] | None = None) -> Path:
    """Runs the stage on a small model's files. Returns the folder that it wrote."""
    out = tmp_path / "out"
    out.mkdir(parents=True)
    inputs = {"architecture.json": tmp_path / "a.json", "vocabulary.json": tmp_path / "v.json"}
    inputs["architecture.json"].write_text(json.dumps(to_json(architecture_from_shape(SHAPE))))
    inputs["vocabulary.json"].write_text(json.dumps(vocabulary or own_vocabulary()))
    stage.build({"languages": None, "source": "random"} | (params or {}), inputs, out)
    return out


def test_the_description_says_how_the_model_is_called(tmp_path: Path) -> None:
    model = json.loads((built(tmp_path) / stage.DESCRIPTION).read_bytes())
    symbols, languages = model.pop("symbols"), model.pop("languages")
    assert symbols == own_vocabulary()
    assert 0 not in symbols.values()
    assert list(languages) == ["eng-us", "spa-latin"]
    assert model == {
        "edge_id": 0,
        "max_symbols": 510,
        "voice_rows": 510,
        "style_dim": 16,
        "hidden_dim": 32,
        "harmonics": 9,
        "sample_rate": 24000,
        "frame_samples": 600,
        "weights": None,
    }


def test_weights_that_are_not_the_published_ones_say_so(tmp_path: Path) -> None:
    model = json.loads((built(tmp_path, {"source": "packages"}) / stage.DESCRIPTION).read_bytes())
    assert model["weights"] == ORIGIN
    assert "int8-rounded, a third party's" in ORIGIN


def test_a_language_without_a_table_is_refused_with_those_that_have_one(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="phonemes of 'fin' to Kokoro's symbols: there is eng-us, spa-latin"):
        built(tmp_path, {"languages": ["eng-us", "fin"]})


def test_a_checkpoint_without_a_languages_symbols_has_it_only_if_nobody_asked(tmp_path: Path) -> None:
    english = {symbol: number for symbol, number in own_vocabulary().items() if symbol != "β"}
    model = json.loads((built(tmp_path / "any", vocabulary=english) / stage.DESCRIPTION).read_bytes())
    assert list(model["languages"]) == ["eng-us"]
    with pytest.raises(BuildError, match=r"no symbol 'β', which phonemes of 'spa-latin' become"):
        built(tmp_path / "asked", {"languages": ["spa-latin"]}, english)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (None, "no config.json with the model's symbols"),
        ({}, "no config.json with the model's symbols"),
        ({"ab": 1}, "'ab': a symbol is one character"),
        ({"a": 0}, "'a' the id 0: ids are 1 to 177"),
        ({"a": 178}, "'a' the id 178"),
        ({"a": True}, "'a' the id True"),
        ({"a": 1, "b": 1}, "'a' and 'b' the same id, 1"),
    ],
)
def test_a_vocabulary_that_does_not_fit_is_refused(table: Any, message: str) -> None:
    with pytest.raises(BuildError, match=message):
        vocabulary_of({"vocab": table}, KOKORO_82M.n_token)


TRAITS = Path(g2p_build.__file__).parent / "native" / "tts" / "traits.h"

PROGRAM = """
#include "model.inc"
#include <stdio.h>

int main(void) {
    for (size_t i = 0; i < model.symbols_count; i++)
        printf("%u %d\\n", (unsigned)model.symbols[i].code, (int)model.symbols[i].id);
    printf("%d %d %d %d ", (int)model.edge_id, (int)model.max_symbols, (int)model.style_dim, (int)model.voice_rows);
    printf("%d %d ", (int)model.hidden_dim, (int)model.harmonics);
    printf("%d %d\\n", (int)model.frame_samples, (int)model.sample_rate);
    return 0;
}
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_the_c_says_what_the_json_says(tmp_path: Path) -> None:
    out = built(tmp_path)
    shutil.copy(TRAITS, out)
    (out / "main.c").write_text(PROGRAM, encoding="utf-8")
    subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", "main.c", "-o", "main"], cwd=out, check=True)
    said = subprocess.run([out / "main"], check=True, capture_output=True, text=True).stdout.splitlines()
    model = json.loads((out / stage.DESCRIPTION).read_bytes())
    lines = [f"{ord(symbol)} {number}" for symbol, number in sorted(model["symbols"].items())]
    assert said == [*lines, "0 510 16 510 32 9 600 24000"]


def test_longer_phonemes_come_before_those_that_they_begin_with() -> None:
    for table in TABLES.values():
        keys = list(table.rows)
        assert all(not later.startswith(earlier) for n, earlier in enumerate(keys) for later in keys[n + 1 :])
