"""The words that guesses are measured on are none of those that the embedded table was made of."""

import pytest
from conftest import ROOT

DATA = ROOT.parent / "shared" / "data"


@pytest.mark.parametrize("split", ["test", "dev"])
def test_no_word_that_is_measured_is_among_the_tables_words(split: str) -> None:
    files = sorted((DATA / split).glob("*.tsv"))
    if not files:
        pytest.skip(f"there are no words at {DATA / split}")
    for file in files:
        made_of, measured = (
            {line.partition("\t")[0].casefold() for line in path.read_text(encoding="utf-8").splitlines()}
            for path in (DATA / "train" / file.name, file)
        )
        assert made_of and measured and not made_of & measured, file.stem
