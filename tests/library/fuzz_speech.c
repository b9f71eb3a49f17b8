/* Any bytes as calls of tts.h: the small speech model, its weights and voices whole or damaged, any phonemes and requests.
 * Kernels work in memory that ends where nothing can be read or written.
 *
 * SPEECH_WEIGHTS and SPEECH_VOICES name its files. How to run it: docs/reliability.md. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tts.h"

#define CHECK(condition) ((condition) ? (void)0 : __builtin_trap())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct bytes { /* that are still to be used */
  const uint8_t *at, *end;
};

static unsigned next(struct bytes *bytes, unsigned bound) { return bytes->at < bytes->end ? *bytes->at++ % bound : 0; }

static size_t wide(struct bytes *bytes, size_t bound) {
  size_t number = 0;
  for (int i = 0; i < 3; i++) number = number << 8 | next(bytes, 256);
  return number % bound;
}

enum { PAGE = 4096, MOST_BYTES = 1 << 25 };

static size_t live; /* blocks of the allocator below */

static void *allocate(void *user, size_t size, size_t alignment) {
  int32_t *left = user; /* allocations that still work; below 0: all */
  if (__atomic_load_n(left, __ATOMIC_RELAXED) == 0 || size > MOST_BYTES) return NULL;
  if (__atomic_load_n(left, __ATOMIC_RELAXED) > 0) __atomic_fetch_sub(left, 1, __ATOMIC_RELAXED);
  CHECK(alignment == 64 && size);
  size_t pages = (size + PAGE - 1) / PAGE * PAGE;
  char *block = mmap(NULL, pages + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(block != MAP_FAILED && mprotect(block + pages, PAGE, PROT_NONE) == 0);
  __atomic_fetch_add(&live, 1, __ATOMIC_RELAXED);
  return block + pages - (size + 63) / 64 * 64;
}

static void release(void *user, void *memory, size_t size) {
  (void)user;
  size_t pages = (size + PAGE - 1) / PAGE * PAGE;
  char *end = (char *)memory + (size + 63) / 64 * 64;
  CHECK(munmap(end - pages, pages + PAGE) == 0);
  __atomic_fetch_sub(&live, 1, __ATOMIC_RELAXED);
}

/* A file of the model, and what the bytes make of it. */
struct file {
  char *data;
  size_t size, header;
  char *given; /* the data, or a copy that ends earlier */
  size_t given_size;
  struct {
    size_t place;
    char byte;
  } before[4]; /* of what was changed, the last change first */
  size_t changes;
  bool whole;
};

static void read_file(const char *variable, struct file *file) {
  const char *path = getenv(variable);
  FILE *opened = path ? fopen(path, "rb") : NULL;
  if (!opened) {
    fprintf(stderr, "%s names no file that can be read\n", variable);
    exit(2);
  }
  fseek(opened, 0, SEEK_END);
  file->size = (size_t)ftell(opened);
  rewind(opened);
  CHECK(posix_memalign((void **)&file->data, 64, file->size) == 0);
  CHECK(fread(file->data, 1, file->size, opened) == file->size);
  fclose(opened);
  file->header =
      8 + ((size_t)(uint8_t)file->data[0] | (size_t)(uint8_t)file->data[1] << 8 | (size_t)(uint8_t)file->data[2] << 16);
}

static void damage(struct file *file, struct bytes *bytes) {
  unsigned kind = next(bytes, 4);
  file->changes = kind == 1 ? 1 + next(bytes, 4) : 0;
  file->given = file->data;
  file->given_size = file->size;
  file->whole = kind != 1 && kind != 2;
  for (size_t i = 0; i < file->changes; i++) { /* every other one where sizes and places are */
    size_t place = wide(bytes, next(bytes, 2) ? file->header : file->size);
    file->before[i].place = place;
    file->before[i].byte = file->data[place];
    file->data[place] = (char)next(bytes, 256);
  }
  if (kind == 2) {
    file->given_size = wide(bytes, next(bytes, 2) ? file->header + 64 : file->size);
    CHECK(posix_memalign((void **)&file->given, 64, file->given_size + !file->given_size) == 0);
    memcpy(file->given, file->data, file->given_size); /* of the exact size: what is read behind it is seen */
  }
}

static void repair(struct file *file) {
  for (size_t i = file->changes; i-- > 0;) file->data[file->before[i].place] = file->before[i].byte;
  if (file->given != file->data) free(file->given);
}

static void check(g2p_status status, const g2p_error *error, bool sure) {
  CHECK(!sure || status == G2P_OK);
  CHECK(error->status == status);
  CHECK(memchr(error->message, 0, sizeof error->message));
  CHECK(!error->message[0] == (status == G2P_OK));
  CHECK(!strchr(error->message, '\n'));
}

struct hearing {
  size_t phonemes;
  uint64_t reached;
  size_t spoken; /* bytes of the phonemes before the next timing */
  int pieces, stop;
  bool sure;
  int32_t *cancel;
};

static int hear(void *user, const tts_piece *piece) {
  struct hearing *hearing = user;
  CHECK(piece->size == sizeof *piece && piece->first == hearing->reached && piece->samples_count);
  for (size_t i = 0; hearing->sure && i < piece->samples_count; i++) CHECK(isfinite(piece->samples[i]));
  uint64_t end = piece->first + piece->samples_count;
  for (size_t i = 0; i < piece->timings_count; i++) {
    const tts_timing *timing = &piece->timings[i];
    CHECK(timing->start >= hearing->spoken && timing->size && timing->size <= hearing->phonemes - timing->start);
    CHECK(timing->first >= hearing->reached && timing->samples && timing->first + timing->samples <= end);
    hearing->reached = timing->first + timing->samples;
    hearing->spoken = timing->start + timing->size;
  }
  hearing->reached = end;
  if (++hearing->pieces == hearing->stop) {
    if (hearing->cancel) tts_cancel(hearing->cancel);
    return !hearing->cancel;
  }
  return 0;
}

/* Some phonemes of the exact size: mostly symbols, but also other characters and bytes that are none. */
static g2p_text phonemes(struct bytes *bytes, bool *known) {
  static const char *const parts[] = {"h",  "ə", "l", "ˈ",  "O",  " ", ".", ",",    "wˈɜɹld", "?",
                                      "a ", "…", "—", "\"", "ˈI", "n", "#", "\xff", "\xc9",   "☃"};
  enum { PARTS = sizeof parts / sizeof *parts, FOREIGN = 4 };
  char *text = malloc(64 * 8);
  size_t size = 0;
  for (unsigned count = next(bytes, 16) ? next(bytes, 24) : next(bytes, 64); count; count--) {
    unsigned part = next(bytes, 8) ? next(bytes, PARTS - FOREIGN) : next(bytes, PARTS);
    *known = *known && part < PARTS - FOREIGN;
    memcpy(text + size, parts[part], strlen(parts[part]));
    size += strlen(parts[part]);
  }
  *known = *known && size;
  char *exact = malloc(size + !size);
  memcpy(exact, text, size);
  free(text);
  return (g2p_text){exact, size};
}

static void speak(tts *model, struct bytes *bytes, bool whole, bool scarce) {
  static const char *const voices[] = {"first", "second", "third", ""};
  bool sure = whole && !scarce, known = true;
  int32_t cancel = 0;
  tts_share shares[TTS_MOST_MIXED + 1];
  tts_request request = {.size = sizeof request, .phonemes = phonemes(bytes, &known), .seed = wide(bytes, 1 << 24)};
  char *held = (char *)request.phonemes.data;
  unsigned odd = next(bytes, 64), flags = next(bytes, 4), voice = next(bytes, 32);
  request.flags = flags;
  request.threads = next(bytes, 8) == 1 ? 2 : 1;
  voice = voice < 28 ? voice % 2 : voice - 28;
  request.voice = voices[voice];
  sure = sure && voice < 2 && known;
  struct hearing hearing = {.phonemes = request.phonemes.size, .sure = whole, .stop = odd == 9 || odd == 10};
  switch (odd) { /* seldom: something else */
    case 1: request.speed = (float)next(bytes, 256) / 32 - 1; break;
    case 2: request.speed = NAN; break;
    case 3: request.flags = next(bytes, 256); break;
    case 4: request.voice = NULL; break;
    case 5: request.phonemes.data = NULL; break;
    case 6: request.threads = UINT32_MAX; break;
    case 7:
    case 8:
      request.voice = NULL;
      request.mixture = shares;
      request.mixture_count = next(bytes, TTS_MOST_MIXED + 2);
      for (size_t i = 0; i <= TTS_MOST_MIXED; i++) {
        unsigned share = next(bytes, 16);
        shares[i] = (tts_share){voices[next(bytes, 2)], share < 12    ? (float)share
                                                        : share == 12 ? NAN
                                                        : share == 13 ? -1
                                                                      : 1e30F};
        if (next(bytes, 32) == 1) shares[i].voice = NULL;
      }
      break;
    case 9: break; /* stopped by what the callback returns */
    case 10: request.cancel = hearing.cancel = &cancel; break;
    case 11: request.size = next(bytes, 200); break;
    case 12:
      request.phonemes.size = SIZE_MAX / (8 * (1 + next(bytes, 8))) + next(bytes, 4);
      break; /* more than is there */
    default: break;
  }
  sure = sure && (odd == 0 || odd == 6 || odd > 12);
  g2p_error error;
  g2p_status status = tts_speak(model, &request, hear, &hearing, &error);
  check(status, &error, sure);
  if (sure) CHECK(hearing.spoken == request.phonemes.size);
  if (status == G2P_UNKNOWN_PHONEME || status == G2P_INVALID_WORD)
    CHECK(error.word < request.phonemes.size && !hearing.pieces);
  free(held);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct file weights, voices;
  if (!weights.data) {
    read_file("SPEECH_WEIGHTS", &weights);
    read_file("SPEECH_VOICES", &voices);
  }
  struct bytes bytes = {data, data + size};
  unsigned odd = next(&bytes, 16);
  int32_t left = odd == 1 ? (int32_t)next(&bytes, 8) : -1;
  g2p_allocator allocator = {allocate, release, &left};
  tts_options options = {.size = odd == 2 ? next(&bytes, 64) : sizeof options, .threads = 1, .allocator = &allocator};
  tts *model = NULL;
  g2p_error error;
  damage(&weights, &bytes);
  damage(&voices, &bytes);
  g2p_status status = tts_open_memory(weights.given, weights.given_size, &options, &model, &error);
  check(status, &error, weights.whole && odd != 1 && odd != 2);
  CHECK(!model == (status != G2P_OK));
  if (model) {
    status = tts_add_voices_memory(model, voices.given, voices.given_size, &error);
    check(status, &error, voices.whole);
    bool there = status == G2P_OK && voices.whole;
    char names[4096];
    size_t needed, capacity = next(&bytes, 4) ? sizeof names : next(&bytes, 32);
    status = tts_voices(model, names, capacity, &needed, &error);
    check(status, &error, needed <= capacity);
    for (const char *name = names; status == G2P_OK && *name; name += strlen(name) + 1) CHECK(name < names + needed);
    for (unsigned calls = 1 + next(&bytes, 2); calls; calls--) speak(model, &bytes, there && weights.whole, odd == 1);
  }
  tts_close(model);
  repair(&voices);
  repair(&weights);
  CHECK(live == 0);
  return 0;
}
