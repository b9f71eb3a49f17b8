"""A model gives back its memory, files and threads, and copes without them."""

import ctypes
import os
import threading

import pytest
from conftest import CACHED, Tree
from kits import WORDS, archives, driver, run

from g2p_build.runtime.results import Search
from g2p_build.runtime.standalone import Model

ALLOCATE = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t)
RELEASE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)

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


class Options(ctypes.Structure):
    """`g2p_options`, with a `g2p_allocator` of three pointers."""

    _fields_ = (
        ("size", ctypes.c_size_t),
        ("flags", ctypes.c_uint32),
        ("threads", ctypes.c_uint32),
        ("allocator", ctypes.c_void_p),
    )


class Allocator(ctypes.Structure):
    _fields_ = (("allocate", ALLOCATE), ("release", RELEASE), ("user", ctypes.c_void_p))


def test_after_a_call_with_many_threads_a_model_keeps_what_the_processors_need(built: Tree) -> None:
    library, found = ctypes.CDLL(str(archives(built, CACHED, "shared").folder / "libg2p.so")), archives(built, CACHED)
    posix = ctypes.CDLL(None)
    posix.free.argtypes = [ctypes.c_void_p]
    live, lock = dict[int, int](), threading.Lock()

    def allocate(user: int, size: int, alignment: int) -> int | None:
        memory = ctypes.c_void_p()
        posix.posix_memalign(ctypes.byref(memory), ctypes.c_size_t(alignment), ctypes.c_size_t(size))
        with lock:
            live[memory.value or 0] = size
        return memory.value

    def release(user: int, memory: int, size: int) -> None:
        with lock:
            assert live.pop(memory) == size
        posix.free(memory)

    allocator = Allocator(ALLOCATE(allocate), RELEASE(release))
    options = Options(ctypes.sizeof(Options), 0, 32, ctypes.addressof(allocator))
    model = ctypes.c_void_p()
    weights = str(found.weights).encode()
    assert library.g2p_open(weights, ctypes.byref(options), ctypes.byref(model), None) == 0
    opened = len(live)

    library.g2p_close.argtypes = [ctypes.c_void_p]
    for free in (library.g2p_free_texts, library.g2p_trim):
        free.restype = None
    library.g2p_free_texts.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    library.g2p_pronounce_all.argtypes = [ctypes.c_void_p] * 4
    shown = Model(library, model)
    assert shown.texts(["talo"] * 400, "fin", 32) == ["ˈtɑlo"] * 400
    sessions = len(live) - opened
    assert 1 <= sessions <= len(os.sched_getaffinity(0))
    library.g2p_trim(model)
    assert len(live) == opened
    # A search keeps the memory of its beams for the next one, which takes no more.
    shown.best(["talo"], "fin", 1, Search(4, 8, False))
    kept = dict(live)
    assert len(kept) == opened + 2
    shown.best(["talo"] * 3, "fin", 1, Search(4, 8, False))
    assert live == kept
    library.g2p_trim(model)
    assert len(live) == opened
    del shown
