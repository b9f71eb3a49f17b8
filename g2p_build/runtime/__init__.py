"""The thin runtime: loads a manifest, then turns words into phonemes. It imports nothing else of this package.

from g2p_build.runtime import load
g2p = load()
g2p(["pronounce"], lang="eng-us")
"""

from typing import TYPE_CHECKING, Any

from g2p_build.runtime import errors
from g2p_build.runtime.cancel import Cancel
from g2p_build.runtime.errors import G2PError

if TYPE_CHECKING:
    from g2p_build.runtime.g2p import G2P
    from g2p_build.runtime.loading import load

__all__ = ["G2P", "Cancel", "G2PError", "errors", "load"]


def __getattr__(name: str) -> Any:
    # Late, so that the build can use manifest and cpu without importing numpy.
    if name in ("G2P", "load"):
        from g2p_build.runtime import loading

        return getattr(loading, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
