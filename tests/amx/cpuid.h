/* What the compiler's own <cpuid.h> gives, as a processor would say it of itself that has what TEST_CPU names: "plain"
 * is no VNNI and no AMX, "vnni" no AMX, "amx" both. cpu.c takes this file for the compiler's where it is found first. */
#ifndef AMX_CPUID_H
#define AMX_CPUID_H

#include <stdlib.h>
#include <string.h>

#include_next <cpuid.h>

static inline int said_cpuid_count(unsigned leaf, unsigned part, unsigned *a, unsigned *b, unsigned *c, unsigned *d) {
  const unsigned vnni = 1u << 11, tiles = 1u << 24 | 1u << 25;
  int known = __get_cpuid_count(leaf, part, a, b, c, d);
  const char *said = getenv("TEST_CPU");
  if (known && said && leaf == 7 && part == 0) {
    *c &= strcmp(said, "plain") == 0 ? ~vnni : ~0u;
    *d = strcmp(said, "amx") == 0 ? *d | tiles : *d & ~tiles;
  }
  return known;
}

#define __get_cpuid_count said_cpuid_count

#endif
