"""The published JSON Schemas of manifests: copies of the schemas that the runtime uses.

This command writes them into `manifests/schema/` of this checkout:

    python -m g2p_build.products.schemas
"""

from pathlib import Path

from g2p_build.config.family import family, names
from g2p_build.engine import streams
from g2p_build.runtime.manifest import INDEX_SCHEMA, MANIFEST_SCHEMA, schema_text

__all__ = ["PUBLISHED", "SOURCES"]

PUBLISHED = Path(__file__).resolve().parents[2] / "manifests" / "schema"
SECTIONS = [section for name in names() if (section := family(name).section)]
SOURCES = (MANIFEST_SCHEMA, INDEX_SCHEMA, *(section.schema for section in SECTIONS))

if __name__ == "__main__":
    streams.guard()
    for name in SOURCES:
        (PUBLISHED / name).write_bytes(schema_text(name))
        print(f"wrote manifests/schema/{name}")
