"""`python -m g2p_build [-m] KEY=VALUE...`: builds the variants that `doit compile` builds, each as a Hydra job.

It is for sweeps on Hydra's launchers: `python -m g2p_build -m target=iphone,android hydra/launcher=ray`.
"""

import os
import re
import sys
from pathlib import Path

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig

from g2p_build.config import compose
from g2p_build.engine import streams
from g2p_build.errors import BuildError

__all__ = ["main"]


def main() -> None:
    """Builds what the command line asks for. If that fails, it prints one line and exits with 2."""
    streams.guard()
    compose.register_schema()
    try:
        sys.argv[1:] = compose.anchored(sys.argv[1:], Path.cwd())
        arguments = get_args_parser().parse_args()
        shows = (arguments.help, arguments.hydra_help, arguments.cfg, arguments.info, arguments.shell_completion)
        if not any(shows):
            overrides = [line for line in arguments.overrides if not re.match(r"[+~]*hydra[./]", line)]
            asked = compose.variants(overrides, named=False)
            if len(asked) > 1 and not arguments.multirun:
                raise compose.ConfigError(f"this is a sweep over {len(asked)} variants: add -m")
        # Without this, Hydra reports our exceptions as mistakes in its own configs.
        os.environ.setdefault("HYDRA_FULL_ERROR", "1")
        _job()
    except (BuildError, HydraException, OSError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)


@hydra.main(config_path=str(compose.CONF), config_name="config", version_base="1.3")
def _job(composed: DictConfig) -> None:
    from g2p_build import graph
    from g2p_build.engine.build import Build
    from g2p_build.products import names, publish
    from g2p_build.store import trees
    from g2p_build.store.workspace import workspace

    configured = compose.composed(composed, HydraConfig.get().runtime.choices)
    (default,) = compose.variants()
    installed = compose.CONF.is_relative_to(Path(__file__).parent)
    start = Path(HydraConfig.get().runtime.cwd)  # Hydra may have gone elsewhere: hydra.job.chdir
    build = Build(workspace(start if installed else compose.CONF.parent))
    (variant,) = names.settled(build, [configured], compose.CONF)
    nodes, origins = graph.nodes(variant), names.origins(build, variant, configured)
    build.ensure(nodes.values())
    build.note_keys()
    print(publish.publish(build, nodes, default.name))
    asked = trees.Published(tuple(HydraConfig.get().overrides.task), build.keys(nodes.values()), origins)
    trees.note_published(build.workspace, {variant.name: asked})


if __name__ == "__main__":
    main()
