"""The weights' header in C: the core accepts and refuses the same headers as the Python runtime."""

import io
import json
import struct
import tarfile
from pathlib import Path
from typing import Any

import pytest
from core_probe import INVALID_WEIGHTS, OK, Probe
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from g2p_build.runtime.errors import InvalidWeights
from g2p_build.runtime.vm.weights import ALIGNMENT, PADDING, map_weights

pytest_plugins = ["core_probe"]

SEEDS = Path(__file__).parent / "seeds" / "weights"
SCALE = "scale.ə\U0001f600"
PROGRAM = {  # as made.c has it
    "embedding": ("float32", (4, 8)),
    "layer.0.weight": ("float16", (2, 4, 4)),
    SCALE: ("float32", ()),
}


def entry(dtype: Any, shape: Any, begin: Any, end: Any) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


GOOD = {
    "embedding": entry("F32", [4, 8], 0, 128),
    "layer.0.weight": entry("F16", [2, 4, 4], 128, 192),
    SCALE: entry("F32", [], 192, 196),
}


def build(header: Any, body: bytes = bytes(320), length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    text += b" " * (-(8 + len(text)) % ALIGNMENT)
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def python(path: Path, data: bytes) -> tuple[int, list[int]]:
    """The verdict of the Python runtime, and the first byte of each tensor of the program."""
    path.write_bytes(data)
    try:
        arrays = map_weights(path)
    except InvalidWeights as error:
        # Tensors that no function takes may come twice or overlap: C does not check them.
        assume("overlap" not in str(error) and "there twice" not in str(error))
        return INVALID_WEIGHTS, []
    if any((name not in arrays or (arrays[name].dtype.name, arrays[name].shape) != PROGRAM[name]) for name in PROGRAM):
        return INVALID_WEIGHTS, []
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    start = 8 + int.from_bytes(data[:8], "little")
    return OK, [start + header[name]["data_offsets"][0] for name in PROGRAM]


def same(probe: Probe, folder: Path, data: bytes) -> int:
    expected = python(folder / "weights", data)
    status, answer = probe.ask("W", data)
    assert (status, list(struct.unpack(f"={len(answer) // 8}Q", answer)) if status == OK else []) == expected, answer
    return status


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("weights")


def test_tensors_are_found_where_they_are(probe: Probe, folder: Path) -> None:
    assert same(probe, folder, build(GOOD)) == OK
    for name in ("plain", "padded", "escaped"):
        assert same(probe, folder, (SEEDS / name).read_bytes()) == OK
    for zero in (b"-0", b" 0 "):
        assert same(probe, folder, build(text_of({}).replace(b"[0, 128]", b"[" + zero + b", 128]"))) == OK
    for name in (b"\\ud83d\\ude01", b"\\ud83d", b"\\ude00", b"\\ud83d\\ud83d\\ude00"):
        assert same(probe, folder, build(text_of({}).replace(b"\\ud83d\\ude00", name))) == INVALID_WEIGHTS


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=5), values, max_size=3),
    max_leaves=10,
)
numbers = st.sampled_from([0, 2, 4, 8, 16, 64, 128, 192, 196, 256, 320, 321, -1, 2**32, 2**64, 2**70, 4.0, True, None])
lies = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "F16", "BF16", "I8", "I32", "F64", "f32", "", 3, None, ["F32"]]),
        "shape": st.lists(numbers, max_size=10) | json_values,
        "data_offsets": st.lists(numbers, max_size=3) | json_values,
    },
    optional={"more": json_values},
)
names = st.sampled_from([*GOOD, "other", "__metadata__", f"{PADDING}0", "_padding", "Embedding", SCALE + "\0"])


@settings(deadline=None, max_examples=400)
@given(st.dictionaries(names, lies | json_values, max_size=3), st.booleans())
def test_any_header_is_taken_or_refused_as_in_python(
    probe: Probe, folder: Path, changes: dict[str, Any], ascii_only: bool
) -> None:
    text = json.dumps(GOOD | changes, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    same(probe, folder, build(text))


@settings(deadline=None, max_examples=400)
@given(
    st.sampled_from(list(GOOD)),
    st.sampled_from(["dtype", "shape", "data_offsets"]),
    st.lists(numbers, max_size=4) | st.sampled_from(["F32", "F16", "BF16", "I8", "I32"]) | json_values,
)
def test_any_lie_about_one_field_is_seen_as_in_python(
    probe: Probe, folder: Path, name: str, field: str, value: Any
) -> None:
    same(probe, folder, build(GOOD | {name: GOOD[name] | {field: value}}))


@settings(deadline=None, max_examples=600)
@given(
    st.sampled_from(["plain", "padded", "escaped"]),
    st.lists(st.tuples(st.integers(0, 700), st.integers(0, 3), st.binary(max_size=3)), min_size=1, max_size=3),
    st.booleans(),
)
def test_any_damage_is_seen_as_in_python(
    probe: Probe, folder: Path, seed: str, changes: list[tuple[int, int, bytes]], keep_length: bool
) -> None:
    data = (SEEDS / seed).read_bytes()
    for at, gone, more in changes:
        more = (more * 3)[:gone] if keep_length else more
        data = data[:at] + more + data[at + len(more) if keep_length else at + gone :]
    same(probe, folder, data)


@pytest.mark.parametrize("seed", ["plain", "tar"])
def test_every_truncation_is_refused(probe: Probe, folder: Path, seed: str) -> None:
    data = (SEEDS / seed).read_bytes()
    last = data.rindex(bytes(range(190, 196))) + 6 if seed == "tar" else len(data)
    for size in range(last):
        assert probe.refusal("W", data[:size])[0] == INVALID_WEIGHTS


def text_of(changes: dict[str, Any]) -> bytes:
    return json.dumps(GOOD | changes).encode()


REFUSALS = {
    "few bytes": (b"1234567", "7 bytes are too few"),
    "nothing": (b"", "0 bytes are too few"),
    "a length past the end": (build(GOOD, length=10_000), "its header's length is more than"),
    "a length past everything": (build(GOOD, length=2**64 - 1), "its header's length is more than"),
    "a length of a tar's text": (b"ustar   " * 80, "its header's length is more than"),
    "no JSON": (build(b"{"), "is not JSON"),
    "no UTF-8": (build(b'{"\xff":1}'), "is not JSON"),
    "a zero": (build(b'{"a\0":1}'), "is not JSON"),
    "no object": (build([]), "is not a JSON object"),
    "too deep": (build(b'{"__metadata__":' + b"[" * 300 + b"]" * 300 + b"}"), "is not JSON"),
    "no tensors": (build({}), "do not hold 'embedding'"),
    "one too few": (build({name: GOOD[name] for name in ("embedding", SCALE)}), "do not hold 'layer.0.weight'"),
    "a name twice": (build(text_of({})[:-1] + b"," + text_of({})[1:]), "tensor 'embedding' is there twice"),
    "a field twice": (build(text_of({}).replace(b'"F32"', b'"F32","dtype":"F32"', 1)), "has not exactly dtype"),
    "a field too few": (build(GOOD | {"other": {}}), "tensor 'other' has not exactly dtype, shape and data_offsets"),
    "a field too many": (build(GOOD | {"other": entry("F32", [1], 0, 4) | {"more": 1}}), "has not exactly dtype"),
    "a dtype unknown": (
        build(GOOD | {"other": entry("F64", [1], 0, 8)}),
        "has dtype '\"F64\"': one of F32, F16, BF16, I32, I8",
    ),
    "another dtype": (build(GOOD | {SCALE: entry("I32", [], 192, 196)}), "another shape or dtype"),
    "another shape": (build(GOOD | {"embedding": entry("F32", [8, 4], 0, 128)}), "another shape or dtype"),
    "a shape of nothing": (build(GOOD | {"other": entry("F32", [0], 0, 0)}), "has shape '[0]': at most 8 positive"),
    "a shape that overflows": (build(GOOD | {"other": entry("F32", [2**32, 2**32], 0, 0)}), "has 0 bytes, its shape"),
    "outside": (build(GOOD, bytes(195)), "lies at '[192, 196]', outside the 195 bytes of data"),
    "backwards": (build(GOOD | {"other": entry("F32", [1], 68, 64)}), "lies at '[68, 64]'"),
    "misaligned": (build(GOOD | {SCALE: entry("F32", [], 196, 200)}), "not at a multiple of 64"),
    "overlapping": (build(GOOD | {SCALE: entry("F32", [], 64, 68)}), "tensors 'embedding' and 'scale.ə😀' overlap"),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_each_refusal_names_what_is_wrong(probe: Probe, what: str) -> None:
    data, expected = REFUSALS[what]
    status, message = probe.refusal("W", data)
    assert status == INVALID_WEIGHTS and expected in message


def tar(*members: tuple[str, bytes], form: int = tarfile.USTAR_FORMAT) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_weights_are_found_in_a_tar(probe: Probe, form: int) -> None:
    weights = build(GOOD)
    start = weights.index(b"}  ") // 64 * 64  # where the header ends, somewhere
    for before in ([], [("note.txt", b"x" * 513)], [("d" * 60 + "/" + "ünïcode" * 5, b"")], [("d.safetensors/", b"")]):
        data = tar(*before, ("weights.safetensors", weights), form=form)
        status, answer = probe.ask("W", data)
        at = data.index(weights)
        assert status == OK and at % 512 == 0
        first = struct.unpack("=3Q", answer)[0]
        assert at + start < first < at + len(weights)
        assert first - at == struct.unpack("=3Q", probe.ask("W", weights)[1])[0]


def sealed(data: bytes) -> bytes:
    """A tar with the right checksum in its first header."""
    block = data[:148] + b" " * 8 + data[156:512]
    return data[:148] + b"%06o\0 " % sum(block) + data[156:]


def test_a_damaged_tar_is_refused(probe: Probe) -> None:
    weights = build(GOOD)
    data = tar(("note", b"x"), ("weights.safetensors", weights))
    whole = tar(("weights.safetensors", weights))
    second = bytearray(data)
    second[1024] ^= 1
    cases = {
        bytes(second): "the archive is damaged at byte 1024",
        sealed(whole[:124] + b"\x80" + bytes(10) + b"\x01" + whole[136:]): "the archive is damaged at byte 0",
        sealed(whole[:124] + b"77777777777\0" + whole[136:]): "the archive ends within a member",
        sealed(whole[:124] + b"xxxxxxxxxxx\0" + whole[136:]): "the archive is damaged at byte 0",
        tar(("weights.bin", weights)): "no member whose name ends in .safetensors",
        tar(("x.safetensors/", b"")): "no member whose name ends in .safetensors",
        tar(("w.safetensors", b"")): "0 bytes are too few",
        b"x" + whole[1:]: "its header's length",  # the checksum is wrong, so it is not a tar
    }
    for data, expected in cases.items():
        status, message = probe.refusal("W", data)
        assert status == INVALID_WEIGHTS and expected in message
