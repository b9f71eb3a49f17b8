"""Kokoro's programs: compiled, they give what their operations say, for any number of tokens and frames."""

from __future__ import annotations

import math

import pytest
import torch
from compiled_library import Library, library, specs
from torch import Tensor

from g2p_build.checkpoints.kokoro.random_weights import random_checkpoint
from g2p_build.models.kokoro import ops
from g2p_build.models.kokoro.architecture import KOKORO_82M, Architecture, expected
from g2p_build.models.kokoro.programs import programs
from g2p_build.models.kokoro.weights import kept_dtype, pack
from g2p_build.models.layout import unpack_columns
from g2p_build.models.program import Program, nested_arguments

SHAPE = {
    "hidden_dim": 32, "n_layer": 2, "style_dim": 16, "decoder_dim": 64, "residual_dim": 16,
    "upsample_initial_channel": 32, "bert_hidden_size": 48, "bert_embedding_size": 16, "bert_num_attention_heads": 3,
    "bert_intermediate_size": 96, "bert_num_hidden_layers": 2,
}  # fmt: skip


@pytest.fixture(scope="module", params=[("float32", 128), ("int8", 32)], ids=["fast-float32", "int8"])
def small(request: pytest.FixtureRequest) -> tuple[Architecture, dict[str, Tensor]]:
    """Weights. With 128 channels, of which the generator has 64 and then 32, its convolutions are fast ones."""
    dtype, channels = request.param
    architecture, state = random_checkpoint(SHAPE | {"upsample_initial_channel": channels}, 0)
    return architecture, pack(architecture, state, dtype)


@pytest.fixture(scope="module")
def compiled(small: tuple[Architecture, dict[str, Tensor]], tmp_path_factory: pytest.TempPathFactory) -> Library:
    architecture, weights = small
    return library(programs(architecture, specs(weights)), tmp_path_factory.mktemp("kokoro"))


def arguments_of(program: Program, architecture: Architecture, tokens: int, frames: int) -> list[Tensor]:
    """Random ones, but for places, which say for each frame which token it is of."""
    generator = torch.Generator().manual_seed(tokens)
    known = {"tokens": tokens, "frames": frames}
    found = []
    for kind, spec in program.inputs:
        if kind != "argument":
            continue
        shape = [size if isinstance(size, int) else size.scale * known[size.name] + size.offset for size in spec.shape]
        if spec.name == "ids":
            found.append(torch.randint(0, architecture.n_token, shape, generator=generator, dtype=torch.int32))
        elif spec.name == "places":
            found.append((torch.arange(frames) * tokens // frames).to(torch.int32))
        elif spec.name == "f0":
            found.append(torch.rand(shape, generator=generator) * 200 - 20)
        else:
            found.append(torch.randn(shape, generator=generator))
    return found


@pytest.mark.parametrize(("tokens", "frames"), [(3, 5), (17, 30), (70, 1)])
@pytest.mark.parametrize("role", ["bert", "duration", "text_encoder", "f0n", "source", "decoder"])
def test_a_compiled_program_gives_what_its_operations_say(
    role: str, tokens: int, frames: int, small: tuple[Architecture, dict[str, Tensor]], compiled: Library
) -> None:
    architecture, weights = small
    program = compiled.programs[role]
    given = arguments_of(program, architecture, tokens, frames)
    taken = [weights[spec.name] for kind, spec in program.inputs if kind == "weight"]
    exact = [tensor.double() if tensor.is_floating_point() else tensor for tensor in (*given, *taken)]
    expected_results = program.module(*nested_arguments(program, exact))
    if isinstance(expected_results, Tensor):
        expected_results = (expected_results,)
    for found, wanted in zip(compiled(role, weights, *given), expected_results, strict=True):
        assert found.shape == wanted.shape
        noise = float((found.double() - wanted.double()).pow(2).mean())
        # 70 dB. Angles near pi may be near -pi instead, which is heard in the sound of random weights: there torch's
        # own float32 has 19 to 45 dB.
        # One frame is two rows that are nearly the same, of which a norm makes much: 50 dB, and float32 in torch 55.
        most = 2e-2 if role == "decoder" else 1e-5 if frames == 1 else 1e-7
        assert noise < most * float(wanted.double().pow(2).mean()), role


def test_a_program_has_no_bound_in_its_shapes(small: tuple[Architecture, dict[str, Tensor]]) -> None:
    architecture, weights = small
    [*_, decoder] = programs(architecture, specs(weights))
    [sound] = decoder.outputs
    assert [str(size) for size in sound.shape] == ["600*frames"]
    assert decoder.input_len is None


def test_every_tensor_of_a_checkpoint_goes_into_the_weights() -> None:
    read: set[str] = set()

    class Noting(dict[str, Tensor]):
        def __getitem__(self, name: str) -> Tensor:
            read.add(name)
            return super().__getitem__(name)

        def get(self, name: str, default: object = None) -> Tensor | None:  # type: ignore[override]
            read.add(name)
            return super().get(name)

    state = Noting({name: torch.empty(shape, device="meta") for name, shape in expected(KOKORO_82M).items()})
    packed = pack(KOKORO_82M, state, "float16")
    assert read >= set(state)
    for name, tensor in packed.items():
        assert tensor.dtype == getattr(torch, kept_dtype(name, "float16"))
    assert kept_dtype("decoder.encode.conv1.filter", "float16") == "float16"
    assert kept_dtype("predictor.F0.0.conv1.filter", "float16") == "float32"
    # What packing adds: columns that fill up panels, upstream's two biases of an LSTM as one.
    count = sum(math.prod(tensor.shape) for tensor in packed.values())
    assert 81_000_000 < count < 83_500_000


def test_numbers_of_eight_bits_are_within_half_a_step_of_what_they_stand_for() -> None:
    architecture, state = random_checkpoint(SHAPE, 0)
    whole, bytes_ = pack(architecture, state), pack(architecture, state, "int8")
    filters = [name for name in whole if name.endswith(".filter")]
    for name in filters:
        scale = bytes_[f"{name.removesuffix('.filter')}.scale"]
        found = unpack_columns(bytes_[name].permute(1, 0, 2), len(scale)).float() * scale
        wanted = unpack_columns(whole[name].permute(1, 0, 2), len(scale))
        assert bytes_[name].dtype == torch.int8
        assert bool(((found - wanted).abs() <= 0.51 * scale).all())
    assert {str(bytes_[name].dtype) for name in bytes_ if name.endswith(".style")} == {"torch.float16"}
    assert {name for name in bytes_ if name not in whole} == {
        f"{name.removesuffix('.filter')}.scale" for name in filters
    }


def test_noise_over_sines_of_no_voice_and_sines_of_one() -> None:
    """The source by what it is for: of F0 a tone, of none a hiss."""
    noise, weight = torch.randn(1, 24000, generator=torch.Generator().manual_seed(0)), torch.tensor([1.0, 0.0])
    tone = ops.sine_source(torch.full((80, 1), 200.0), noise, weight, 24000)
    spectrum = torch.fft.rfft(tone).abs()
    assert int(spectrum.argmax()) == 200  # of one second
    assert float(spectrum[200] / spectrum.sort().values[-3]) > 20
    hiss = ops.sine_source(torch.zeros(80, 1), noise, weight, 24000)
    assert 0.02 < float(hiss.std()) < 0.045
