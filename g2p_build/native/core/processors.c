/* How many processors this process may use: those of its affinity, and no more than its container's quota. */
#if defined(__linux__)
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE /* sched_getaffinity */
#endif

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "core.h"

enum { MOST = 4096 };

/* Reads a small file as a string; false where it cannot be read. */
static bool read_text(const char *folder, const char *path, size_t path_size, const char *file, char text[MOST]) {
  char name[MOST];
  size_t folder_size = strlen(folder), file_size = strlen(file);
  if (folder_size + path_size + file_size >= sizeof name) return false;
  memcpy(name, folder, folder_size);
  memcpy(name + folder_size, path, path_size);
  memcpy(name + folder_size + path_size, file, file_size + 1);
  int opened = open(name, O_RDONLY | O_CLOEXEC);
  if (opened < 0) return false;
  ssize_t size = read(opened, text, MOST - 1);
  close(opened);
  text[size > 0 ? size : 0] = 0;
  return size > 0;
}

/* A number at the begin of a text, and what follows it; false where there is none. */
static bool read_number(const char **text, uint64_t *number) {
  const char *at = *text;
  for (*number = 0; *at >= '0' && *at <= '9' && *number < UINT32_MAX; at++)
    *number = *number * 10 + (uint64_t)(*at - '0');
  bool found = at != *text;
  while (*at == ' ') at++;
  *text = at;
  return found;
}

/* Lowers `most` to a quota of microseconds in a period, rounded up. */
static void lower(uint32_t *most, uint64_t quota, uint64_t period) {
  if (!period || !quota) return;
  uint64_t whole = (quota + period - 1) / period;
  if (whole < *most) *most = (uint32_t)whole;
}

/* Where a line of /proc/self/cgroup names a group: "0::PATH" for version 2, "N:cpu,...:PATH" for version 1. */
static const char *group_of(const char *groups, bool second, size_t *size) {
  for (const char *line = groups; *line;) {
    const char *end = strchr(line, '\n'), *names = strchr(line, ':');
    const char *path = names ? strchr(names + 1, ':') : NULL;
    if (!end) end = line + strlen(line);
    if (path && path < end) {
      bool plain = path == names + 1, has_cpu = false;
      for (const char *name = names + 1; name < path;) {
        const char *next = memchr(name, ',', (size_t)(path - name));
        size_t length = (size_t)((next ? next : path) - name);
        has_cpu = has_cpu || (length == 3 && memcmp(name, "cpu", 3) == 0);
        name += length + 1;
      }
      if (second ? plain : has_cpu) {
        *size = (size_t)(end - path) - 1;
        return path + 1;
      }
    }
    line = *end ? end + 1 : end;
  }
  return NULL;
}

uint32_t g2p_quota(const char *system, const char *groups, uint32_t most) {
  char own[MOST], text[MOST], other[MOST];
  if (!read_text(groups, "", 0, "", own)) return most;
  for (int version = 2; version > 0; version--) {
    size_t size;
    const char *group = group_of(own, version == 2, &size);
    /* From the group up to the root: each may have a quota. */
    for (bool more = group != NULL; more;) {
      while (size && group[size - 1] == '/') size--;
      const char *at = text, *period_at = other;
      uint64_t quota, period;
      char folder[MOST];
      size_t length = strlen(system);
      if (length + 5 >= sizeof folder) return most;
      memcpy(folder, system, length + 1);
      if (version == 1) memcpy(folder + length, "/cpu", 5);
      if (version == 2) {
        if (read_text(folder, group, size, "/cpu.max", text) && read_number(&at, &quota) && read_number(&at, &period))
          lower(&most, quota, period);
      } else if (read_text(folder, group, size, "/cpu.cfs_quota_us", text) && read_number(&at, &quota) &&
                 read_text(folder, group, size, "/cpu.cfs_period_us", other) && read_number(&period_at, &period)) {
        lower(&most, quota, period);
      }
      more = size > 0;
      while (size && group[size - 1] != '/') size--;
    }
  }
  return most;
}

uint32_t g2p_processors(void) {
  unsigned long allowed[1024 / 8 / sizeof(long)]; /* a cpu_set_t, whose macros need a function of the C library */
  long count = sysconf(_SC_NPROCESSORS_ONLN);
  memset(allowed, 0, sizeof allowed);
  if (sched_getaffinity(0, sizeof allowed, (cpu_set_t *)(void *)allowed) == 0) {
    count = 0;
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
      for (unsigned long bits = allowed[i]; bits; bits &= bits - 1) count++;
  }
  uint32_t most = count > 0 ? (uint32_t)count : 1;
  return g2p_quota("/sys/fs/cgroup", "/proc/self/cgroup", most);
}

#elif defined(G2P_NO_THREADS)

#include "core.h"

uint32_t g2p_processors(void) { return 1; }

#elif defined(_WIN32)

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include "core.h"

uint32_t g2p_processors(void) {
  DWORD_PTR allowed, all;
  uint32_t count = 0;
  if (GetProcessAffinityMask(GetCurrentProcess(), &allowed, &all))
    for (; allowed; allowed &= allowed - 1) count++;
  return count ? count : 1;
}

#else

#include <unistd.h>

#include "core.h"

uint32_t g2p_processors(void) {
  long count = sysconf(_SC_NPROCESSORS_ONLN);
  return count > 0 ? (uint32_t)count : 1;
}

#endif
