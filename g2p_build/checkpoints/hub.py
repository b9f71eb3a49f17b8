"""Gets a checkpoint's files from the Hugging Face hub, or from the cache of its library."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from httpx2 import HTTPError
from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url, try_to_load_from_cache
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from g2p_build.checkpoints.files import CONFIG, find_files
from g2p_build.errors import BuildError

__all__ = ["Find", "download"]

Find = Callable[[Callable[[str], Path | None], str], dict[str, Path]]
"""Collects files: from a function that gets one by its name (or None), and the place for messages, to name → path."""


def download(repo: str, revision: str, find: Find = find_files) -> dict[str, Path]:
    """Finds a checkpoint's files at a pinned revision, and downloads what the hub's cache lacks.

    If the cache holds the commit, the hub is not asked. If the hub cannot be reached, only the cache is used. Progress
    bars go to the error stream.

    Args:
        repo: `owner/name`.
        revision: a commit's hash, or a tag.
        find: collects the files. It raises `BuildError` if one is missing.

    Returns:
        name → path in the hub's cache, as from `find`.

    Raises:
        BuildError: the repository, the revision or the checkpoint does not exist; access is refused; or the hub cannot
            be reached and the cache lacks files.
    """
    where = f"{repo} at revision {revision}"
    try:
        cached = _cached(repo, revision, find)
        if cached is not None:
            return cached
        unreachable = _unreachable(repo, revision)

        def get(name: str) -> Path | None:
            try:
                local = unreachable is not None
                return Path(hf_hub_download(repo, name, revision=revision, local_files_only=local))
            except RemoteEntryNotFoundError:
                return None
            except LocalEntryNotFoundError as error:
                if unreachable is None:
                    raise BuildError(_not_here(where, f"the connection was lost: {_reason(error)}")) from None
                return None

        try:
            return find(get, where)
        except BuildError as error:
            raise BuildError(_not_here(where, unreachable)) if unreachable is not None else error from None
    except GatedRepoError:
        raise BuildError(f"{repo} is gated: accept its terms on the hub and log in with `hf auth login`") from None
    except RepositoryNotFoundError:
        raise BuildError(
            f"the hub has no repository {repo}, or it is private: check checkpoint.repo, or log in with `hf auth login`"
        ) from None
    except RevisionNotFoundError:
        raise BuildError(f"{repo} has no revision {revision}: check checkpoint.revision") from None
    except HFValidationError as error:
        raise BuildError(f"{repo!r} is not a repository's name: {_one_line(error)}") from None
    except HfHubHTTPError as error:
        raise BuildError(f"{where} cannot be fetched: the hub answered {error.response.status_code}") from None
    except (HTTPError, OSError) as error:
        raise BuildError(f"{where} cannot be fetched: {_one_line(error)}") from None


def _unreachable(repo: str, revision: str) -> str | None:
    """Why the hub cannot be reached; None if it can.

    `hf_hub_download` would find out too, but only after half a minute of retries.
    """
    try:
        get_hf_file_metadata(hf_hub_url(repo, CONFIG, revision=revision))
    except RemoteEntryNotFoundError:
        return None  # it answered: what is missing is for `find` to say
    except OfflineModeIsEnabled:
        return "HF_HUB_OFFLINE is set"
    except HfHubHTTPError as error:
        if error.response.status_code < 500:
            raise
        return f"it answered {error.response.status_code}"
    except HTTPError as error:
        return _one_line(error)
    return None


def _cached(repo: str, revision: str, find: Find) -> dict[str, Path] | None:
    """A commit's files, if the cache knows of each whether it exists, else None."""
    if re.fullmatch("[0-9a-f]{40}", revision) is None:
        return None

    def cached(name: str) -> Path | None:
        found = try_to_load_from_cache(repo, name, revision=revision)
        if found is None:  # not known; for a file that is known to be missing, `found` is a marker
            raise FileNotFoundError(name)
        return Path(found) if isinstance(found, str) else None

    try:
        return find(cached, repo)
    except (FileNotFoundError, BuildError):
        return None


def _not_here(where: str, reason: str) -> str:
    return (
        f"{where} is not in the hub's cache, and the hub cannot be reached ({reason}): connect and run again, "
        "or give a local copy by checkpoint=path checkpoint.path=DIR"
    )


def _reason(error: BaseException) -> str:
    return _one_line(error.__cause__ or error)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
