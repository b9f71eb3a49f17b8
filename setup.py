"""The wheel's packages: g2p_build, with tasks/ and conf/ inside it; pyproject.toml says all else."""

from setuptools import find_packages, setup

ours = find_packages(include=["g2p_build", "g2p_build.*"])
tasks = [f"g2p_build.{name}" for name in find_packages(include=["tasks", "tasks.*"])]
setup(
    packages=[*ours, *tasks, "g2p_build.conf"],
    package_dir={"g2p_build.tasks": "tasks", "g2p_build.conf": "conf"},
    package_data={
        "g2p_build": ["checkpoints/*/*", "native/*/*", "reference/golden/*", "runtime/*.json"],
        "g2p_build.conf": ["*.yaml", "**/*.yaml"],
    },
)
