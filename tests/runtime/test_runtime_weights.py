import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from g2p_build.runtime.errors import InvalidWeights
from g2p_build.runtime.vm.weights import ALIGNMENT, map_weights

DTYPES = {"F32": np.float32, "F16": np.float16, "I32": np.int32}


def build(path: Path, header: Any, body: bytes, length: int | None = None) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    text += b" " * (-(8 + len(text)) % ALIGNMENT)
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + body)
    return path


def entry(begin: int, end: int, shape: Any = None, dtype: Any = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": [(end - begin) // 4] if shape is None else shape, "data_offsets": [begin, end]}


shapes = st.lists(st.integers(1, 5), max_size=4).map(tuple)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text(min_size=1), st.tuples(st.sampled_from(sorted(DTYPES)), shapes), max_size=5))
def test_any_tensors_come_back_in_place(tmp_path_factory: pytest.TempPathFactory, wanted: dict) -> None:
    wanted.pop("__metadata__", None)
    header: dict[str, Any] = {"__metadata__": {"made": "by a test"}}
    body, expected = b"", {}
    for name, (dtype, shape) in wanted.items():
        array = np.arange(int(np.prod(shape)), dtype=DTYPES[dtype]).reshape(shape)
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [len(body), len(body) + array.nbytes]}
        body += array.tobytes() + b"\xff" * (-array.nbytes % ALIGNMENT)
        expected[name] = array
    path = build(tmp_path_factory.mktemp("weights") / "w", header, body)
    found = map_weights(path)
    assert found.keys() == expected.keys()
    for name, array in found.items():
        assert array.dtype == expected[name].dtype and array.shape == expected[name].shape
        assert np.array_equal(array, expected[name]) and array.ctypes.data % ALIGNMENT == 0


def test_arrays_are_writable_and_the_file_is_not(tmp_path: Path) -> None:
    path = build(tmp_path / "w", {"a": entry(0, 64)}, b"\0" * 64)
    before = path.read_bytes()
    array = map_weights(path)["a"]
    assert not array.flags.owndata and array.flags.writeable
    array[:] = 7
    assert path.read_bytes() == before
    assert not map_weights(path)["a"].any()


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_tensors_or_one_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("weights") / "w"
    path.write_bytes(data)
    with pytest.raises(InvalidWeights):
        map_weights(path)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=5), values, max_size=3),
    max_leaves=10,
)
lies = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "F16", "F64", 3, None, []]),
        "shape": st.lists(st.integers(-2, 40), max_size=3) | json_values,
        "data_offsets": st.lists(st.sampled_from([0, 4, 64, 128, 192, -64, 2**70]), max_size=3) | json_values,
    }
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.text(max_size=3), lies | json_values, min_size=1, max_size=3) | json_values)
def test_a_header_never_leads_outside_the_file(tmp_path_factory: pytest.TempPathFactory, header: Any) -> None:
    path = build(tmp_path_factory.mktemp("weights") / "w", header, bytes(range(192)))
    try:
        found = map_weights(path)
    except InvalidWeights as error:
        assert str(error).startswith("w: ") and "\n" not in str(error)
    else:
        body = path.read_bytes()[-192:]
        assert all(array.tobytes() in body and array.ctypes.data % ALIGNMENT == 0 for array in found.values())


@pytest.mark.parametrize(
    ("header", "body", "length", "words"),
    [
        ({"a": entry(0, 64)}, 64, 2**40, "claims 1099511627776 bytes"),
        ({"a": entry(0, 64)}, 64, 2**63, "claims"),
        (b"{", 0, None, "not JSON"),
        (b"\xff", 0, None, "not JSON"),
        (b"[" * 50_000, 0, None, "not JSON"),
        ([], 0, None, "not a JSON object"),
        (b'{"a": {}, "a": {}}', 0, None, "twice"),
        ({"a": {"dtype": "F32"}}, 0, None, "'a' has not exactly"),
        ({"a": entry(0, 64, dtype="F64")}, 64, None, "F64"),
        ({"a": entry(0, 64, [-16])}, 64, None, "shape"),
        ({"a": entry(0, 64, [True, 16])}, 64, None, "shape"),
        ({"a": entry(0, 64, [0])}, 64, None, "shape"),
        ({"a": entry(0, 64, [16.0])}, 64, None, "shape"),
        ({"a": entry(0, 64, [2**40, 2**40])}, 64, None, "wants"),
        ({"a": entry(0, 64, [15])}, 64, None, "64 bytes, its shape [15] wants 60"),
        ({"a": entry(0, 128)}, 64, None, "outside the 64 bytes"),
        ({"a": entry(64, 0, [16])}, 64, None, "outside"),
        ({"a": entry(0, 64), "b": entry(0, 64)}, 64, None, "overlap"),
        ({"a": entry(0, 128), "b": entry(64, 128)}, 128, None, "'a' and 'b' overlap"),
        ({"a": entry(4, 64)}, 64, None, "multiple of 64"),
    ],
)
def test_lies_are_named(tmp_path: Path, header: Any, body: int, length: int | None, words: str) -> None:
    with pytest.raises(InvalidWeights) as caught:
        map_weights(build(tmp_path / "w", header, b"\0" * body, length))
    assert words in str(caught.value)


def test_truncation_at_every_byte(tmp_path: Path) -> None:
    whole = build(tmp_path / "whole", {"a": entry(0, 64)}, b"\0" * 64).read_bytes()
    for length in range(len(whole)):
        path = tmp_path / "w"
        path.write_bytes(whole[:length])
        with pytest.raises(InvalidWeights):
            map_weights(path)
    with pytest.raises(InvalidWeights):
        map_weights(tmp_path / "missing")
