"""A model gives back its memory, files and threads, and copes without them."""

import pytest
from conftest import CACHED, Tree
from kits import WORDS, archives, driver, run

SYSTEM = ("malloc", "mmap", "pthread_mutex_init", "pthread_cond_init", "pthread_create")


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("source", ["allocator", "system"])
def test_without_memory_files_or_threads_a_call_fails_cleanly_or_is_right(
    built: Tree, threads: int, source: str
) -> None:
    scarce = driver(built, "scarce.c", CACHED, "address", " ".join(f"-Wl,--wrap={name}" for name in SYSTEM))
    said = run(scarce, archives(built, CACHED).weights, WORDS, threads, source).split()
    assert int(said[0]) > 10 and int(said[2]) > 10, said
    assert threads == 1 or int(said[4]) > 0, said  # if a helping thread gets no memory, the others do its work


def test_a_thousand_models_are_opened_and_closed_without_a_leak(built: Tree) -> None:
    arguments = (archives(built, CACHED).weights, archives(built, CACHED).manifest, WORDS, 1000)
    run(driver(built, "lifetimes.c"), *arguments)  # the sanitizer looks for leaks when it ends
    said = run(driver(built, "lifetimes.c", CACHED, "none"), *arguments)
    assert int(said.split()[0]) < 2048, said
