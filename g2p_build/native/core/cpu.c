/* Which features this processor has, by the names of Linux's /proc/cpuinfo ("pni" is SSE3, "abm" holds LZCNT). */
#include <string.h>

#include "core.h"

#if defined(__x86_64__) || defined(__i386__)

#include <cpuid.h>

enum { ECX1, EBX7, ECX7, EDX7, EAX7_1, EXTENDED_ECX1, REGISTERS }; /* of cpuid's leaves */
/* Registers that the system must save: bits of XCR0. */
enum { OF_CPU = 0, OF_AVX = 0x6, OF_AVX512 = 0xe6, OF_TILES = 0x60000 };

static const struct feature {
  char name[12];
  int word, bit;
  uint32_t saved;
} known[] = {
    {"pni", ECX1, 0, OF_CPU},
    {"ssse3", ECX1, 9, OF_CPU},
    {"fma", ECX1, 12, OF_AVX},
    {"cx16", ECX1, 13, OF_CPU},
    {"sse4_1", ECX1, 19, OF_CPU},
    {"sse4_2", ECX1, 20, OF_CPU},
    {"movbe", ECX1, 22, OF_CPU},
    {"popcnt", ECX1, 23, OF_CPU},
    {"xsave", ECX1, 27, OF_CPU},
    {"avx", ECX1, 28, OF_AVX},
    {"f16c", ECX1, 29, OF_AVX},
    {"bmi1", EBX7, 3, OF_CPU},
    {"avx2", EBX7, 5, OF_AVX},
    {"bmi2", EBX7, 8, OF_CPU},
    {"avx512f", EBX7, 16, OF_AVX512},
    {"avx512dq", EBX7, 17, OF_AVX512},
    {"avx512cd", EBX7, 28, OF_AVX512},
    {"sha_ni", EBX7, 29, OF_CPU},
    {"avx512bw", EBX7, 30, OF_AVX512},
    {"avx512vl", EBX7, 31, OF_AVX512},
    {"lahf_lm", EXTENDED_ECX1, 0, OF_CPU},
    {"abm", EXTENDED_ECX1, 5, OF_CPU},
    {"avx512_vnni", ECX7, 11, OF_AVX512},
    {"amx_tile", EDX7, 24, OF_TILES},
    {"amx_int8", EDX7, 25, OF_TILES},
    {"avx_vnni", EAX7_1, 4, OF_AVX},
};

/* Whether the system lets this process use tiles. Linux saves them for those alone who ask (Documentation/arch/x86/
 * xstate.rst), and its answer says too whether it knows them: XCR0 has nothing to add. It may be asked again and again,
 * and says no where a thread has too little room for signals. Nobody else is asked. */
static bool tiles_granted(void) {
#if defined(__linux__) && defined(__x86_64__) && !defined(__ANDROID__)
  long result = 158;                       /* arch_prctl; without a name from a header, which an older system's lacks */
  const long ask = 0x1023, tile_data = 18; /* ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA */
  __asm__ volatile("syscall" : "+a"(result) : "D"(ask), "S"(tile_data) : "rcx", "r11", "memory");
  return result == 0;
#else
  return false;
#endif
}

bool g2p_has_feature(const char *name) {
  uint32_t words[REGISTERS] = {0}, a, b, c, d, saved = 0;
  if (__get_cpuid(1, &a, &b, &c, &d)) {
    words[ECX1] = c;
  }
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
    words[EBX7] = b;
    words[ECX7] = c;
    words[EDX7] = d;
  }
  if (__get_cpuid_count(7, 1, &a, &b, &c, &d)) {
    words[EAX7_1] = a;
  }
  if (__get_cpuid(0x80000001, &a, &b, &c, &d)) {
    words[EXTENDED_ECX1] = c;
  }
  if (words[ECX1] >> 27 & 1) { /* the system lets programs ask what it saves */
    __asm__ volatile("xgetbv" : "=a"(saved), "=d"(d) : "c"(0));
  }
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    if (strcmp(known[i].name, name) == 0) {
      if (!(words[known[i].word] >> known[i].bit & 1)) {
        return false;
      }
      return known[i].saved == OF_TILES ? tiles_granted() : (saved & known[i].saved) == known[i].saved;
    }
  }
  return false;
}

#elif defined(__aarch64__) && defined(__linux__)

#include <sys/auxv.h>

bool g2p_has_feature(const char *name) {
  const unsigned long found[] = {getauxval(AT_HWCAP), getauxval(AT_HWCAP2)};
  static const struct {
    char name[12];
    int word, bit;
  } known[] = {{"sha2", 0, 6}, {"fphp", 0, 9}, {"asimdhp", 0, 10}, {"asimddp", 0, 20}, {"i8mm", 1, 13}};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    if (strcmp(known[i].name, name) == 0) {
      return found[known[i].word] >> known[i].bit & 1;
    }
  }
  return false;
}

#elif defined(__aarch64__) && defined(__APPLE__)

#include <sys/sysctl.h>

/* A system that does not say is one whose devices have it: an app's least version sees to that. */
bool g2p_has_feature(const char *name) {
  int value = 0;
  size_t size = sizeof value;
  bool dot = strcmp(name, "asimddp") == 0, half = strcmp(name, "asimdhp") == 0 || strcmp(name, "fphp") == 0;
  const char *key = dot ? "hw.optional.arm.FEAT_DotProd" : "hw.optional.arm.FEAT_FP16";
  if (strcmp(name, "sha2") == 0) {
    return true; /* every one of these has it */
  }
  return (dot || half) && (sysctlbyname(key, &value, &size, NULL, 0) != 0 || value);
}

#else

bool g2p_has_feature(const char *name) { return name != NULL; } /* nothing to ask: the build names what it is for */

#endif

int32_t g2p_extension_of(const struct g2p_program *program) {
  for (size_t number = program->extensions_count; number > 0; number--) {
    const char *const *feature = program->extensions[number - 1].features;
    while (*feature && g2p_has_feature(*feature)) {
      feature++;
    }
    if (!*feature) {
      return (int32_t)number;
    }
  }
  return 0;
}

const char *g2p_missing_feature(const struct g2p_variant *variant) {
  for (size_t i = 0; i < variant->features_count; i++) {
    if (!g2p_has_feature(variant->features[i])) {
      return variant->features[i];
    }
  }
  return NULL;
}
