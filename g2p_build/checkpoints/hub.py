"""A checkpoint's files from the Hugging Face hub, or from that library's own cache."""

from __future__ import annotations

import re
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

__all__ = ["download"]


def download(repo: str, revision: str) -> dict[str, Path]:
    """Resolves a checkpoint at a pinned revision, downloading what the hub's cache lacks.

    A commit that is in the cache is used without asking the hub. Where the hub cannot be reached, only the cache is
    looked at. Progress bars go to the error stream.

    Args:
        repo: `owner/name`.
        revision: a commit's hash, or a tag.

    Returns:
        name → path in the hub's cache, as `files.find_files` gives them.

    Raises:
        BuildError: no such repository, revision or checkpoint; access refused; hub out of reach and nothing cached.
    """
    where = f"{repo} at revision {revision}"
    try:
        cached = _cached(repo, revision)
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
            return find_files(get, where)
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
    except RemoteEntryNotFoundError:
        raise BuildError(f"{where} has no {CONFIG}: it is not a transformers checkpoint") from None
    except HFValidationError as error:
        raise BuildError(f"{repo!r} is not a repository's name: {_one_line(error)}") from None
    except HfHubHTTPError as error:
        raise BuildError(f"{where} cannot be fetched: the hub answered {error.response.status_code}") from None
    except (HTTPError, OSError) as error:
        raise BuildError(f"{where} cannot be fetched: {_one_line(error)}") from None


def _unreachable(repo: str, revision: str) -> str | None:
    """Why the hub cannot be asked; None if it can.

    hf_hub_download finds out too, but only after half a minute of trying again.
    """
    try:
        get_hf_file_metadata(hf_hub_url(repo, CONFIG, revision=revision))
    except OfflineModeIsEnabled:
        return "HF_HUB_OFFLINE is set"
    except HfHubHTTPError as error:
        if error.response.status_code < 500:
            raise
        return f"it answered {error.response.status_code}"
    except HTTPError as error:
        return _one_line(error)
    return None


def _cached(repo: str, revision: str) -> dict[str, Path] | None:
    """A commit's files, where the cache answers every question about them, else None."""
    if re.fullmatch("[0-9a-f]{40}", revision) is None:
        return None

    def cached(name: str) -> Path | None:
        found = try_to_load_from_cache(repo, name, revision=revision)
        if found is None:  # not known; a file known to be missing is another thing
            raise FileNotFoundError(name)
        return Path(found) if isinstance(found, str) else None

    try:
        return find_files(cached, repo)
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
