"""Puts tasks/ and conf/ into the wheel's package g2p_build. pyproject.toml says everything else."""

from setuptools import find_packages, setup

ours = find_packages(include=["g2p_build", "g2p_build.*"])
tasks = [f"g2p_build.{name}" for name in find_packages(include=["tasks", "tasks.*"])]
setup(
    packages=[*ours, *tasks, "g2p_build.conf"],
    package_dir={"g2p_build.tasks": "tasks", "g2p_build.conf": "conf"},
    package_data={
        "g2p_build": [
            "checkpoints/*/*",
            "checkpoints/*/calibration/*",
            "native/*/*",
            "native/*/*/*",
            "products/npm_files/*",
            "products/npm_files/*/*",
            "reference/golden/*",
            "runtime/*.json",
        ],
        "g2p_build.conf": ["*.yaml", "**/*.yaml"],
    },
)
