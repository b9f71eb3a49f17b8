"""The fields of Kokoro's checkpoints, and the nodes that they become."""

import importlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from g2p_build.config.overrides import ConfigError
from g2p_build.families.kokoro.checkpoint import KokoroCheckpoint, KokoroCheckpointConf, checkpoint
from g2p_build.families.kokoro.model import checkpoint_node, description_node, voices_node
from g2p_build.stages.node import Node

CONF = Path(__file__).parents[2] / "conf" / "checkpoint"
COMMIT = "0123456789abcdef" * 2 + "01234567"


def made(option: str, **fields: Any) -> KokoroCheckpoint:
    """A checkpoint from its file and more fields, as the schema types them."""
    typed = OmegaConf.merge(OmegaConf.structured(KokoroCheckpointConf), OmegaConf.load(CONF / f"{option}.yaml"), fields)
    plain = OmegaConf.to_container(typed)
    assert isinstance(plain, dict)
    return checkpoint({str(key): value for key, value in plain.items()} | {"name": plain["name"] or option})


def nodes(found: KokoroCheckpoint) -> tuple[Node, Node, Node]:
    published = checkpoint_node(found)
    return published, voices_node(found, published), description_node(found, published)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "kokoro" / "voices").mkdir(parents=True)
    return tmp_path / "kokoro"


def test_a_published_model_is_a_repository_at_a_commit() -> None:
    found = made("kokoro_82m", revision=COMMIT, voices=["am_adam", "af_heart"], languages=["eng-us"])
    assert (found.repo, found.voices, found.languages) == ("hexgrad/Kokoro-82M", ("af_heart", "am_adam"), ("eng-us",))
    published, voices, description = nodes(found)
    assert published.params == {"source": "hub", "repo": "hexgrad/Kokoro-82M", "revision": COMMIT}
    assert voices.params == {**published.params, "names": ["af_heart", "am_adam"]}
    assert description.params == {"languages": ["eng-us"], "source": "hub"}
    with pytest.raises(ConfigError, match=r"no pinned commit: add checkpoint\.revision="):
        made("kokoro_82m")


def test_a_folder_has_its_voices_beside_it_unless_others_are_named(folder: Path, tmp_path: Path) -> None:
    found = made("kokoro_path", path=str(folder))
    published, voices, _ = nodes(found)
    assert published.params == {"source": "path"}
    assert (published.folders, voices.folders) == ((str(folder),), (str(folder / "voices"),))
    (tmp_path / "mine.npz").touch()
    assert voices_node(made("kokoro_path", path=str(folder), voice_files=str(tmp_path / "mine.npz")), published).folders
    (folder / "voices").rmdir()
    with pytest.raises(ConfigError, match=r"has no folder voices: say where voices are, checkpoint\.voice_files=DIR"):
        made("kokoro_path", path=str(folder))


def test_packages_have_voices_and_a_folder_may_have_others(folder: Path) -> None:
    published, voices, _ = nodes(made("kokoro_packaged"))
    assert (published.params, published.folders) == ({"source": "packages"}, ())
    assert (voices.params, voices.folders) == ({"names": ["jf_alpha"], "source": "packages"}, ())
    _, voices, _ = nodes(made("kokoro_packaged", voices=["af_heart"], voice_files=str(folder / "voices")))
    assert (voices.params, voices.folders) == ({"names": ["af_heart"], "source": "path"}, (str(folder / "voices"),))


def test_another_voice_changes_the_voices_node_alone() -> None:
    before, after = (nodes(made("kokoro_small", voices=names)) for names in (["first"], ["first", "other"]))
    changed = [one.stage for one, other in zip(before, after, strict=True) if one.params != other.params]
    assert changed == ["voices"]


@pytest.mark.parametrize("option", ["kokoro_small", "kokoro_packaged"])
def test_every_node_has_a_stage(option: str) -> None:
    for node in nodes(made(option)):
        assert importlib.import_module(node.module).STAGE.build


def test_the_small_shape_is_one_that_can_be_built() -> None:
    from g2p_build.checkpoints.kokoro.config import architecture_from_shape

    shape = made("kokoro_small").shape
    assert shape is not None
    assert architecture_from_shape(asdict(shape)).istftnet.samples == 300


@pytest.mark.parametrize(
    ("option", "fields", "message"),
    [
        ("kokoro_small", {"source": "embedded"}, "unknown checkpoint.source 'embedded'"),
        ("kokoro_packaged", {"voices": []}, r"checkpoint\.voices=\[\] says nothing: name the voices"),
        ("kokoro_packaged", {"voices": ["../x"]}, r"checkpoint\.voices='\.\./x': give names of letters"),
        (
            "kokoro_packaged",
            {"voice_files": "/nowhere"},
            "voice_files=/nowhere: give a folder that exists",
        ),
        ("kokoro_packaged", {"languages": ["fin"]}, "unknown language of checkpoint.languages 'fin'"),
        ("kokoro_packaged", {"languages": []}, "allows no phoneme"),
        ("kokoro_packaged", {"seed": 1}, "checkpoint.seed is for a checkpoint whose source is random"),
        ("kokoro_packaged", {"path": "/"}, "checkpoint.path is for a checkpoint whose source is path"),
        ("kokoro_small", {"voice_files": "/"}, "random weights have random voices"),
        ("kokoro_small", {"shape": {"hidden_dim": 0}}, "checkpoint.shape.hidden_dim=0 is too small"),
    ],
)
def test_fields_that_do_not_go_together_are_one_line(option: str, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        made(option, **fields)
    assert "\n" not in str(error.value)
