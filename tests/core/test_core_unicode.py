"""The core's Unicode tables come from Unicode's files, are small, and are right for every character."""

import bz2
import subprocess
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from core_probe import CORE
from elftools.elf.elffile import ELFFile
from form_probe import FormProbe

from g2p_build.native import unicode_tables
from g2p_build.native.unicode_tables import EMOJI, FOLDER, KINDS
from g2p_build.runtime import form as python_form
from g2p_build.runtime import joining
from g2p_build.runtime.form import CASES, Form, in_form

pytest_plugins = ["form_probe"]

CHARACTERS = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
NFC = Form(nfc=True)
LOWER = Form(case="lower")
NFC_LOWER = Form(nfc=True, case="lower")


@pytest.fixture(scope="module")
def kinds(formed: FormProbe) -> dict[str, str]:
    """The kind of each character, from the core's tables."""
    found = {}
    for at in range(0, len(CHARACTERS), 1 << 16):
        text = "".join(CHARACTERS[at : at + (1 << 16)])
        [(numbers, name)] = formed.kinds([text])
        assert name == f"U+{ord(text[-1]):04X}"
        found |= {one: KINDS[number] for one, number in zip(text, numbers, strict=True)}
    return found


@pytest.fixture(scope="module")
def known(kinds: dict[str, str]) -> list[str]:
    """The characters that this Python and the tables agree about: both know them, or neither does."""
    none = ("Cn", "Co", "Cs")
    return [one for one in CHARACTERS if (kinds[one] == "OTHER") == (unicodedata.category(one) in none)]


def groups(characters: Sequence[str], size: int = 2048) -> Iterator[list[str]]:
    """The characters in groups, each sent as lines of a text. A request for each character would take minutes."""
    for at in range(0, len(characters), size):
        yield [one for one in characters[at : at + size] if one != "\n"]


def lines(formed: FormProbe, form: Form, characters: list[str]) -> list[str]:
    [found] = formed(form, ["\n".join(characters)], capacity=1 << 16)
    assert found.text is not None
    return found.text.split("\n")


def test_every_character_is_composed_as_python_does(formed: FormProbe, known: list[str]) -> None:
    for characters in groups(known):
        assert lines(formed, NFC, characters) == [unicodedata.normalize("NFC", one) for one in characters]


def test_every_character_has_the_lower_case_that_python_gives(formed: FormProbe, known: list[str]) -> None:
    for characters in groups(known):
        assert lines(formed, LOWER, characters) == [one.lower() for one in characters]
        both = [unicodedata.normalize("NFC", one.lower()) for one in characters]
        assert lines(formed, NFC_LOWER, characters) == both
        assert lines(formed, NFC_LOWER, [one for one in both if one]) == [one for one in both if one]


def test_marks_are_ordered_and_composed_with_every_letter(formed: FormProbe, known: list[str]) -> None:
    marks = [one for one in known if unicodedata.combining(one)]
    for after in ("\u0323\u0301", "\u0307\u0327", "\u3099", "\u0345\u0300", "\u11a8", "\u1161"):
        for characters in groups([one for one in known if ord(one) < 0x3400 or 0xAC00 <= ord(one) < 0x1F000]):
            words = [one + after for one in characters]
            assert lines(formed, NFC, words) == [unicodedata.normalize("NFC", word) for word in words]
    for characters in groups(marks):
        words = [f"a\u0301{one}\u0323{one}\u0345" for one in characters]
        assert lines(formed, NFC, words) == [unicodedata.normalize("NFC", word) for word in words]


def test_sigma_ends_a_word_where_python_says(formed: FormProbe, known: list[str]) -> None:
    for before, after in (("Α", ""), ("Α", "Α"), ("", ""), ("", "Α")):
        for characters in groups([one for one in known if ord(one) < 0x20000 or ord(one) >= 0xE0000]):
            words = [f"{before}{one}Σ{one}{after}" for one in characters]
            assert lines(formed, LOWER, words) == [word.lower() for word in words]


def test_every_character_is_of_the_kind_that_python_says(known: list[str], kinds: dict[str, str]) -> None:
    names = {
        "a letter": {"LETTER", "JOINING_LETTER"},
        "a mark on a letter": {"MARK", "JOINING_MARK", "INHERITED_MARK"},
        "a digit": {"DIGIT"},
        "a number": {"NUMBER"},
        "a punctuation mark": {"PUNCTUATION"},
        "a symbol": {"SYMBOL"},
        "an emoji": {"EMOJI"},
        "a space": {"SPACE"},
        "an invisible character": {"FORMAT"},
        "no character of Unicode": {"OTHER"},
    }
    assert EMOJI == python_form._EMOJI
    for one in known:
        assert kinds[one] in names[python_form.kind(one)], hex(ord(one))
        assert (kinds[one] == "INHERITED_MARK") == python_form._among(joining.INHERITED, one)
        assert kinds[one].startswith("JOINING") == python_form._among(joining.JOINED, one)


def test_unicodes_own_normalization_test(formed: FormProbe) -> None:
    """NormalizationTest.txt gives the normalization of each column. A character that it does not name stays."""
    path = next((path for path in FOLDER.glob("NormalizationTest.txt*")), None)
    if path is None:
        pytest.skip("no Unicode files here: apt-get install unicode-data")
    data = bz2.decompress(path.read_bytes()) if path.suffix == ".bz2" else path.read_bytes()
    rows, alone, part = [], set(), ""
    for line in data.decode().splitlines():
        if line.startswith("@"):
            part = line.split()[0]
        elif line and not line.startswith("#"):
            row = ["".join(chr(int(code, 16)) for code in column.split()) for column in line.split(";")[:5]]
            rows.append(row)
            alone |= {row[0]} if part == "@Part1" else set()
    assert len(rows) > 19_000
    for column in range(5):
        expected = [row[1] if column < 3 else row[3] for row in rows]
        assert formed.texts(NFC, [row[column] for row in rows]) == expected
    for characters in groups([one for one in CHARACTERS if one not in alone]):
        assert lines(formed, NFC, characters) == characters


def test_the_tables_are_those_that_unicodes_files_give() -> None:
    if not (FOLDER / "UnicodeData.txt").exists():
        pytest.skip("no Unicode files here: apt-get install unicode-data")
    unicode = unicode_tables.read(FOLDER)
    committed = (CORE / "unicode_tables.c").read_text(encoding="utf-8")
    if f"/* Unicode {unicode.version}. " not in committed:
        pytest.skip(f"the files here are of Unicode {unicode.version}, and the tables of another version")
    assert unicode_tables.c_tables(unicode) == committed
    assert unicode_tables.joining(unicode) == Path(joining.__file__).read_text(encoding="utf-8")
    assert unicode_tables.categories(unicode) == unicode_tables.RUST.read_text(encoding="utf-8")


def test_the_tables_are_small(tmp_path: Path) -> None:
    pytest.importorskip("ziglang")
    options = ["-target", "x86_64-linux-gnu", "-std=c11", "-O2", "-c", "-o", str(tmp_path / "tables.o")]
    command = [sys.executable, "-m", "ziglang", "cc", *options, str(CORE / "unicode_tables.c")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with (tmp_path / "tables.o").open("rb") as file:
        sections = {section.name: section.data_size for section in ELFFile(file).iter_sections()}
    assert sum(size for name, size in sections.items() if name.startswith((".rodata", ".data"))) <= 32 * 1024


def test_a_folder_without_unicodes_files_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert unicode_tables.main([str(tmp_path)]) == 2
    assert "UnicodeData.txt" in capsys.readouterr().err


@pytest.mark.long
@pytest.mark.parametrize("case", CASES)
def test_every_character_in_a_whole_form_is_as_in_python(formed: FormProbe, known: list[str], case: str) -> None:
    form = Form(nfc=True, visible=True, narrow=True, case=case, pairs={"’": "'", "`": "'", "\u0327": "\u0326"})
    for around in ("{}", "I{}\u0307", "ا{}\u200d", "{}\u0323\u0301"):
        for characters in groups([one for one in known if ord(one) < 0x20000 or ord(one) >= 0xE0000], 128):
            words = [around.format(one) for one in characters]
            found = lines(formed, form, words)
            assert found == in_form(form, "\n".join(words)).split("\n")
            assert lines(formed, form, found) == found
