/* Speech whose programs are timed where they run, and whose memory is counted. For whoever measures: one thread at a
 * time calls these. */
#define _POSIX_C_SOURCE 200809L /* clock_gettime */

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "model.h"

enum { MOST = 6 }; /* programs of a library */

static tts *model;
static g2p_error failed;
static const struct g2p_program *original;
static struct g2p_function functions[MOST];
static struct g2p_program program;
static struct g2p_variant variant;
static uint64_t nanoseconds[MOST], worked[MOST];
static size_t used, most;

/* Nanoseconds that all threads of the process have computed. */
static uint64_t of_processors(void) {
  struct timespec now;
  if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now) != 0) return 0;
  return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static void run_timed(size_t number, const struct g2p_run *run) {
  uint64_t started = g2p_nanoseconds(), before = of_processors();
  original->functions[number].run(run);
  nanoseconds[number] += g2p_nanoseconds() - started;
  worked[number] += of_processors() - before;
}

static void run_0(const struct g2p_run *run) { run_timed(0, run); }
static void run_1(const struct g2p_run *run) { run_timed(1, run); }
static void run_2(const struct g2p_run *run) { run_timed(2, run); }
static void run_3(const struct g2p_run *run) { run_timed(3, run); }
static void run_4(const struct g2p_run *run) { run_timed(4, run); }
static void run_5(const struct g2p_run *run) { run_timed(5, run); }

static void (*const timed[MOST])(const struct g2p_run *) = {run_0, run_1, run_2, run_3, run_4, run_5};

static void *allocate(void *user, size_t size, size_t alignment) {
  (void)user;
  void *found = aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (!found) return NULL;
  used += size;
  if (used > most) most = used;
  return found;
}

static void release(void *user, void *memory, size_t size) {
  (void)user;
  if (!memory) return;
  used -= size;
  free(memory);
}

static const g2p_allocator counting = {allocate, release, NULL};

/* Opens the model, once. What went wrong, or NULL. */
TTS_API const char *programs_begin(const char *weights, const char *voices, uint32_t threads) {
  variant = *tts_default();
  program = *variant.program;
  original = variant.program;
  if (original->functions_count > MOST) return "the library has more programs than are timed";
  memcpy(functions, original->functions, original->functions_count * sizeof *functions);
  for (size_t i = 0; i < original->functions_count; i++) functions[i].run = timed[i];
  program.functions = functions;
  variant.program = &program;
  tts_options options = {sizeof options, threads, &counting, &variant};
  if (tts_open(weights, &options, &model, &failed) != G2P_OK) return failed.message;
  return tts_add_voices(model, voices, &failed) == G2P_OK ? NULL : failed.message;
}

static int count(void *user, const tts_piece *piece) {
  *(uint64_t *)user += piece->samples_count;
  return 0;
}

/* Speaks. `samples` becomes how many there are; the clocks and the count of memory begin anew. What went wrong, or
 * NULL. */
TTS_API const char *programs_speak(const char *phonemes, const char *voice, uint64_t *samples) {
  memset(nanoseconds, 0, sizeof nanoseconds);
  memset(worked, 0, sizeof worked);
  most = used;
  *samples = 0;
  tts_request request = {.size = sizeof request, .phonemes = {phonemes, strlen(phonemes)}, .voice = voice};
  return tts_speak(model, &request, count, samples, &failed) == G2P_OK ? NULL : failed.message;
}

/* The name of a program, or NULL behind the last one. */
TTS_API const char *programs_role(size_t number) {
  return number < program.functions_count ? functions[number].role : NULL;
}

/* How long it ran, in the last call. */
TTS_API uint64_t programs_nanoseconds(size_t number) { return nanoseconds[number]; }

/* How long all threads computed in it. */
TTS_API uint64_t programs_worked(size_t number) { return worked[number]; }

/* The most bytes that the model had asked for, up to the end of the last call. */
TTS_API size_t programs_peak(void) { return most; }
