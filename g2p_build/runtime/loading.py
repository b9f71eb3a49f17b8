"""Loads a variant: reads its manifest, checks and unpacks its archives, and opens what runs it."""

import functools
from os import PathLike

from g2p_build.runtime import standalone, variant
from g2p_build.runtime.abi import checked_threads
from g2p_build.runtime.errors import LibraryFailed
from g2p_build.runtime.g2p import G2P
from g2p_build.runtime.g2p_manifest import SECTION

__all__ = ["load"]


def load(
    manifest: str | PathLike[str] | None = None, threads: int = 0, lexicon: bool = True, draft: bool = True
) -> G2P:
    """Opens the variant that a manifest describes.

    Both archives are checked against the manifest before either is opened. They are unpacked once, into a cache by
    digest. The weights are mapped, not copied; everything in the process that loads them shares them.

    Args:
        manifest: path of the manifest. The default is the one that `index.choose` takes for this machine.
        threads: how many threads may work on a list of words; 0: one for each processor that this process may use (its
            affinity, its container's quota). At most 256. A library for the virtual machine uses one.
        lexicon: whether the variant's own lexicon comes before its model, where it has one.
        draft: whether its draft table is used, where it has one. What is said is the same without, and comes later.

    Raises:
        G2PError: the variant cannot be loaded. Each cause has a subclass: see `errors`.
        ValueError: ``threads`` is below 0 or above 256.
    """
    checked_threads(threads)
    path, data = variant.found(manifest, SECTION)
    files = data["files"]
    own = files.get("lexicon") if lexicon else None
    guesses = files.get("draft") if draft else None
    again = (load, (str(path.absolute()), threads, lexicon, draft))
    wanted = [*files["library"], *filter(None, [files["runtime"]]), files["model"]]
    members = {"library": wanted, "weights": [*filter(None, [files["weights"], own, guesses])]}
    folders = variant.unpacked(path, data, members)
    library, mapped = folders["library"] / files["library"][0], folders["weights"] / files["weights"]
    table = folders["weights"] / own if own else None
    if data["target"]["engine"] == "standalone":
        tables = table, folders["weights"] / guesses if guesses else None
        private = functools.partial(standalone.open_model, library, mapped, *tables, shared=False)
        return G2P(data, standalone.open_model(library, mapped, *tables), threads, private, again)
    try:
        from g2p_build.runtime.vm.engine import VirtualMachine
    except ModuleNotFoundError as error:
        raise LibraryFailed(
            f"{data['name']} runs on TVM's virtual machine, which needs {error.name}: pip install 'g2p-build[vm]'"
        ) from None
    engine = VirtualMachine(data, library, folders["library"] / files["runtime"], mapped, table)
    return G2P(data, engine, threads, lambda: engine, again)
