"""Which of a model's language codes a BCP 47 tag means: the one place where that is written down.

    python -m g2p_build.native.language_tags

writes ``g2p/language_tags.c``, ``runtime/language_tags.py`` and the table of ``docs/languages.md`` again. All are
committed. ``g2p/language.c`` has the rules, and ``runtime/languages.py`` has them for Python.
"""

import sys
from pathlib import Path

__all__ = ["ALIASES", "TAGS", "TWO_LETTERS", "c_table", "main", "page", "runtime_table"]

TWO_LETTERS = (
    "af afr am amh an arg ar ara az aze ba bak be bel bg bul bn ben bo bod br bre bs bos ca cat co cos cs ces "
    "cu chu cy cym da dan de deu dv div el ell en eng eo epo es spa et est eu eus fa fas fi fin fo fao fr fra "
    "fy fry ga gle gd gla gl glg gn grn gu guj ha hau he heb hi hin hr hrv hu hun hy hye ia ina id ind io ido "
    "is isl it ita ja jpn jv jav ka kat kk kaz km khm kn kan ko kor ku kur ky kir la lat lb ltz ln lin lo lao "
    "lt lit lv lav mg mlg mi mri mk mkd ml mal mn mon mr mar ms msa mt mlt my mya nb nob ne nep nl nld nn nno "
    "no nor oc oci or ori pa pan pl pol ps pus pt por qu que ro ron ru rus rw kin sa san sc srd sd snd se sme "
    "si sin sk slk sl slv so som sq sqi sr srp su sun sv swe sw swa ta tam te tel tg tgk th tha tk tuk tl tgl "
    "tr tur tt tat ug uig uk ukr ur urd uz uzb vi vie vo vol wa wln wo wol xh xho yi yid yo yor zh zho zu zul "
)
"""Codes of ISO 639-1, each with the code of ISO 639-3 that models call the language by. A space follows each."""

ALIASES = "cmn zh fil tl in id iw he ji yi "
"""Languages of tags, each with the one that it is taken for."""

TAGS = {
    "alb": "sq",
    "arm-e": "hy hy-arevela",
    "arm-w": "hyw hy-arevmda",
    "baq": "eu",
    "bur": "my",
    "chi": "zh",
    "cze": "cs",
    "dut": "nl",
    "eng-uk": "en-GB",
    "eng-us": "en-US",
    "fra": "fr",
    "fra-qu": "fr-CA",
    "fre": "fr",
    "geo": "ka",
    "ger": "de",
    "gre": "el",
    "hbs-cyrl": "sh-Cyrl sr-Cyrl sr",
    "hbs-latn": "sh-Latn sr-Latn sh hr",
    "ice": "is",
    "lat-clas": "la",
    "lat-eccl": "la",
    "mac": "mk",
    "mao": "mi",
    "may": "ms",
    "min": "nan",
    "nob": "nb no",
    "nor": "no nb",
    "per": "fa",
    "por-bz": "pt-BR",
    "por-po": "pt-PT",
    "rum": "ro",
    "slo": "sk",
    "spa": "es-ES",
    "spa-latin": "es-419 es-AR es-BO es-CL es-CO es-CR es-CU es-DO es-EC es-GT es-HN es-MX es-NI es-PA es-PE es-PR "
    "es-PY es-SV es-US es-UY es-VE",
    "spa-me": "es-MX",
    "tib": "bo",
    "vie-c": "vi",
    "vie-n": "vi",
    "vie-s": "vi",
    "wel-nw": "cy",
    "wel-sw": "cy",
    "zho-s": "zh-Hans zh-CN zh-SG",
    "zho-t": "zh-Hant zh-TW zh-HK zh-MO",
}
"""Codes that models have, each with its tags, the most usual one first. Sorted. Codes that are not here speak for
themselves: `fin` is fi, by `TWO_LETTERS`, and `deu-at` is de-AT."""

MADE = "Made by `python -m g2p_build.native.language_tags`: change that."
BEGIN, END = "<!-- table -->", "<!-- end of the table -->"

HERE = Path(__file__).parent
C_TABLE, RUNTIME = HERE / "g2p" / "language_tags.c", HERE.parent / "runtime" / "language_tags.py"
PAGE = HERE.parents[1] / "docs" / "languages.md"


def c_table() -> str:
    """The text of ``g2p/language_tags.c``."""
    rows = [f'    "{code}\\0" "{tags}\\0"' for code, tags in TAGS.items()]
    return "\n".join(
        [
            f"/* {MADE} */",
            '#include "language.h"',
            "",
            "/* clang-format off */",
            "const char g2p_two_letters[] =",
            *_pieces(TWO_LETTERS),
            "",
            f'const char g2p_language_aliases[] = "{ALIASES}";',
            "",
            "const char g2p_tagged[] =",
            *rows[:-1],
            f"{rows[-1]};",
            "",
        ]
    )


def runtime_table() -> str:
    """The text of ``runtime/language_tags.py``."""
    return "\n".join(
        [
            f'"""{MADE}"""',
            "",
            '__all__ = ["ALIASES", "TAGS", "TWO_LETTERS"]',
            "",
            "# fmt: off",
            "TWO_LETTERS = (",
            *[piece.removesuffix(";") for piece in _pieces(TWO_LETTERS)],
            ")",
            f'ALIASES = "{ALIASES}"',
            "TAGS = {",
            *[
                f'    "{code}": "{tags}",  # noqa: E501' if len(tags) > 90 else f'    "{code}": "{tags}",'
                for code, tags in TAGS.items()
            ],
            "}",
            "",
        ]
    )


def page() -> str:
    """The table of ``docs/languages.md``, a row for each code."""
    rows = [f"| `{code}` | {', '.join(f'`{tag}`' for tag in tags.split())} |" for code, tags in TAGS.items()]
    return "\n".join([BEGIN, "| a model's code | tags that mean it |", "|---|---|", *rows, END])


def _pieces(text: str) -> list[str]:
    """A string as literals of lines, each with 15 pairs of codes; a semicolon ends the last."""
    pairs = text.split()
    lines = [" ".join(pairs[at : at + 30]) + " " for at in range(0, len(pairs), 30)]
    return [f'    "{line}"{";" if line is lines[-1] else ""}' for line in lines]


def main() -> int:
    """Writes the three. Returns the exit code."""
    C_TABLE.write_text(c_table(), encoding="utf-8")
    RUNTIME.write_text(runtime_table(), encoding="utf-8")
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(f"{before}{page()}{rest.partition(END)[2]}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
