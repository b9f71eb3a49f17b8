"""A declarative build system for on-device speech models."""
