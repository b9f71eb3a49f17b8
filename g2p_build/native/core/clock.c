/* What time it is, for statistics. */
#if !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L /* clock_gettime */
#endif

#include "core.h"

#if defined(__wasm__)

uint64_t g2p_nanoseconds(void) { return 0; }

#elif defined(_WIN32)

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

uint64_t g2p_nanoseconds(void) {
  LARGE_INTEGER ticks, second;
  QueryPerformanceCounter(&ticks);
  QueryPerformanceFrequency(&second);
  return (uint64_t)((double)ticks.QuadPart * 1e9 / (double)second.QuadPart);
}

#else

#include <time.h>

uint64_t g2p_nanoseconds(void) {
  struct timespec now;
  if (clock_gettime(CLOCK_MONOTONIC, &now) != 0) return 0;
  return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

#endif
