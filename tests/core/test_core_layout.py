"""The number that tells cores and variants of different versions apart."""

import hashlib
import re

from core_probe import CORE, FAMILY

# G2P_LAYOUT, and a digest of the structures that it stands for. Only the newest is kept.
LAYOUT, STRUCTURES = 1, "9c92a5a0e632c08c"


def test_whoever_changes_a_structure_raises_the_number() -> None:
    text = "".join(
        path.read_text(encoding="utf-8") for path in (CORE / "program.h", CORE / "form.h", FAMILY / "traits.h")
    )
    [number] = re.findall(r"G2P_LAYOUT = (\d+)", text)
    plain = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    found = re.findall(r"^struct \w+ \{.*?^\};", plain, re.DOTALL | re.MULTILINE)
    structures = "\n".join(" ".join(structure.split()) for structure in found)
    digest = hashlib.sha256(structures.encode()).hexdigest()[:16]
    assert len(found) == 13
    assert (int(number), digest) == (LAYOUT, STRUCTURES), (
        "what a variant is made of has changed: where the number has been in a release, raise G2P_LAYOUT in program.h; "
        "then write both here"
    )
