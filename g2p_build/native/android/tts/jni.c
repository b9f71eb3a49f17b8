/* The functions behind the Kotlin class tts.runtime.Native. glue.h says what they return. */
#include <stdlib.h>
#include <string.h>

#include "glue.h"
#include "model.h"

#define NATIVE(result, name, ...) JVM_NATIVE(result, Java_tts_runtime_Native_##name, __VA_ARGS__)

/* A file of voices in memory of our own. */
struct kept {
  struct jvm_content voices;
  struct kept *before;
};

/* An open model, and the memory that its files are in, where the library has not mapped them itself. */
struct opened {
  tts *model;
  struct jvm_content weights;
  struct kept *voices;
};

static struct opened *opened_of(int64_t handle) { return (struct opened *)(intptr_t)handle; }

/* A handle of what was made, with the status that all is well. */
static struct jvm_buffer handle_of(void *made) {
  struct jvm_buffer buffer = jvm_good();
  int64_t handle = (int64_t)(intptr_t)made;
  jvm_put(&buffer, &handle, sizeof handle);
  return buffer;
}

/* Opens weights in memory, which become its own; or, without any, those of a file. */
static struct jvm_buffer opened(const char *path, struct jvm_content weights, int32_t threads) {
  tts_options options = {.size = sizeof options, .threads = (uint32_t)threads};
  g2p_error error;
  struct opened *made = malloc(sizeof *made);
  g2p_status status = G2P_NO_MEMORY;
  if (made) {
    *made = (struct opened){NULL, weights, NULL};
    status = path ? tts_open(path, &options, &made->model, &error)
                  : tts_open_memory(weights.data, weights.size, &options, &made->model, &error);
  }
  if (status == G2P_OK) {
    struct jvm_buffer buffer = handle_of(made);
    if (!buffer.failed) return buffer;
    tts_close(made->model);
    free(buffer.data);
  }
  struct jvm_buffer failure = made && status != G2P_OK ? jvm_bad(&error) : jvm_no_memory();
  free(made);
  jvm_free(&weights);
  return failure;
}

NATIVE(jvm_bytes, open, jvm_bytes path, int32_t threads) {
  size_t size;
  char *copy = jvm_taken(machine, path, &size);
  if (!copy) return jvm_given(machine, jvm_no_memory());
  struct jvm_buffer made = strlen(copy) == size ? opened(copy, (struct jvm_content){0}, threads)
                                                : jvm_wrong(G2P_NO_FILE, "a path has a zero in it: name another file");
  free(copy);
  return jvm_given(machine, made);
}

NATIVE(jvm_bytes, openDescriptor, int32_t file, int64_t at, int64_t length, int32_t threads) {
  struct jvm_content weights;
  g2p_error error;
  if (jvm_mapped(file, at, length, &weights, &error) != G2P_OK) return jvm_given(machine, jvm_bad(&error));
  return jvm_given(machine, opened(NULL, weights, threads));
}

NATIVE(jvm_bytes, openBytes, jvm_bytes bytes, int32_t threads) {
  struct jvm_content weights;
  g2p_error error;
  if (jvm_copied(machine, bytes, &weights, &error) != G2P_OK) return jvm_given(machine, jvm_bad(&error));
  return jvm_given(machine, opened(NULL, weights, threads));
}

/* Adds voices in memory, which becomes the model's own. One thread at a time. */
static struct jvm_buffer added(struct opened *model, struct jvm_content voices) {
  g2p_error error;
  struct kept *kept = malloc(sizeof *kept);
  if (kept && tts_add_voices_memory(model->model, voices.data, voices.size, &error) == G2P_OK) {
    *kept = (struct kept){voices, model->voices};
    model->voices = kept;
    return jvm_good();
  }
  struct jvm_buffer failure = kept ? jvm_bad(&error) : jvm_no_memory();
  free(kept);
  jvm_free(&voices);
  return failure;
}

NATIVE(jvm_bytes, addVoices, int64_t handle, jvm_bytes path) {
  size_t size;
  char *copy = jvm_taken(machine, path, &size);
  g2p_error error;
  struct jvm_buffer buffer;
  if (!copy)
    buffer = jvm_no_memory();
  else if (strlen(copy) != size)
    buffer = jvm_wrong(G2P_NO_FILE, "a path has a zero in it: name another file");
  else if (tts_add_voices(opened_of(handle)->model, copy, &error) != G2P_OK)
    buffer = jvm_bad(&error);
  else
    buffer = jvm_good();
  free(copy);
  return jvm_given(machine, buffer);
}

NATIVE(jvm_bytes, addVoicesDescriptor, int64_t handle, int32_t file, int64_t at, int64_t length) {
  struct jvm_content voices;
  g2p_error error;
  if (jvm_mapped(file, at, length, &voices, &error) != G2P_OK) return jvm_given(machine, jvm_bad(&error));
  return jvm_given(machine, added(opened_of(handle), voices));
}

NATIVE(jvm_bytes, addVoicesBytes, int64_t handle, jvm_bytes bytes) {
  struct jvm_content voices;
  g2p_error error;
  if (jvm_copied(machine, bytes, &voices, &error) != G2P_OK) return jvm_given(machine, jvm_bad(&error));
  return jvm_given(machine, added(opened_of(handle), voices));
}

NATIVE(void, close, int64_t handle) {
  struct opened *model = opened_of(handle);
  (void)machine, (void)class;
  tts_close(model->model);
  jvm_free(&model->weights);
  for (struct kept *kept = model->voices; kept;) {
    struct kept *before = kept->before;
    jvm_free(&kept->voices);
    free(kept);
    kept = before;
  }
  free(model);
}

NATIVE(void, trim, int64_t handle) {
  (void)machine, (void)class;
  tts_trim(opened_of(handle)->model);
}

NATIVE(int64_t, flag, int32_t nothing) {
  (void)machine, (void)class, (void)nothing;
  return jvm_flag();
}

NATIVE(void, raise, int64_t flag) {
  (void)machine, (void)class;
  tts_cancel((volatile int32_t *)(intptr_t)flag);
}

NATIVE(void, release, int64_t flag) {
  (void)machine, (void)class;
  free((void *)(intptr_t)flag);
}

/* The bounds; how many languages, and their codes; what the model is, as JSON. */
NATIVE(jvm_bytes, about, int64_t handle) {
  const tts *model = opened_of(handle)->model;
  tts_bounds bounds = tts_limits(model);
  struct jvm_buffer buffer = jvm_good();
  jvm_put_number(&buffer, (int32_t)bounds.symbols);
  jvm_put_number(&buffer, (int32_t)bounds.sample_rate);
  jvm_put_number(&buffer, (int32_t)bounds.frame);
  jvm_put(&buffer, &bounds.slowest, sizeof bounds.slowest);
  jvm_put(&buffer, &bounds.fastest, sizeof bounds.fastest);
  size_t count;
  const char *const *codes = tts_languages(model, &count);
  jvm_put_number(&buffer, (int32_t)count);
  for (size_t i = 0; i < count; i++) jvm_put_text(&buffer, (g2p_text){codes[i], strlen(codes[i])});
  const char *info = tts_info(model);
  jvm_put_text(&buffer, (g2p_text){info, strlen(info)});
  return jvm_given(machine, buffer);
}

/* The names of the voices, each ended by a zero. */
NATIVE(jvm_bytes, voices, int64_t handle) {
  tts *model = opened_of(handle)->model;
  size_t needed = 1;
  for (;;) {
    size_t room = needed;
    char *names = malloc(room);
    if (!names) return jvm_given(machine, jvm_no_memory());
    g2p_error error;
    g2p_status status = tts_voices(model, names, room, &needed, &error);
    struct jvm_buffer buffer = status == G2P_OK ? jvm_good() : jvm_bad(&error);
    if (status == G2P_OK) jvm_put(&buffer, names, needed - 1);
    free(names);
    if (status != G2P_TOO_SMALL) return jvm_given(machine, buffer);
    free(buffer.data);
  }
}

/* An utterance, and what its request points to. */
struct spoken {
  tts_request request;
  tts_share mixture[TTS_MOST_MIXED];
  char *phonemes, *shares;
  tts_utterance *utterance;
};

static void free_spoken(struct spoken *spoken) {
  if (!spoken) return;
  free(spoken->phonemes);
  free(spoken->shares);
  free(spoken);
}

/* Shares come as a weight, 4 bytes, and the voice's name with a zero behind it; there are no more than may be mixed. */
NATIVE(jvm_bytes, begin, int64_t handle, jvm_bytes phonemes, jvm_bytes shares, float speed, int64_t seed,
       int32_t threads, int32_t flags, int64_t flag) {
  struct spoken *spoken = malloc(sizeof *spoken);
  if (!spoken) return jvm_given(machine, jvm_no_memory());
  size_t size, shares_size;
  *spoken = (struct spoken){.phonemes = jvm_taken(machine, phonemes, &size)};
  spoken->shares = jvm_taken(machine, shares, &shares_size);
  if (!spoken->phonemes || !spoken->shares) {
    free_spoken(spoken);
    return jvm_given(machine, jvm_no_memory());
  }
  size_t count = 0;
  const char *end = spoken->shares + shares_size;
  for (const char *at = spoken->shares; at < end && count < TTS_MOST_MIXED; at += strlen(at) + 1) {
    memcpy(&spoken->mixture[count].weight, at, sizeof(float));
    at += sizeof(float);
    spoken->mixture[count++].voice = at;
  }
  spoken->request = (tts_request){.size = sizeof(tts_request),
                                  .phonemes = {spoken->phonemes, size},
                                  .mixture = spoken->mixture,
                                  .mixture_count = count,
                                  .speed = speed,
                                  .seed = (uint64_t)seed,
                                  .threads = (uint32_t)threads,
                                  .flags = (uint32_t)flags,
                                  .cancel = (volatile int32_t *)(intptr_t)flag};
  g2p_error error;
  g2p_no_error(&error);
  if (tts_begin(opened_of(handle)->model, &spoken->request, false, &spoken->utterance, &error) != G2P_OK) {
    free_spoken(spoken);
    return jvm_given(machine, jvm_bad(&error));
  }
  struct jvm_buffer buffer = handle_of(spoken);
  if (buffer.failed) {
    tts_end(spoken->utterance);
    free_spoken(spoken);
  }
  return jvm_given(machine, buffer);
}

/* The next piece: whether it is the last; its first sample; how many timings and samples it has; for each timing the byte where
 * its character is, its first sample and how many; the samples. One thread at a time. */
NATIVE(jvm_bytes, next, int64_t handle) {
  struct spoken *spoken = (struct spoken *)(intptr_t)handle;
  tts_piece piece;
  g2p_error error;
  g2p_no_error(&error);
  if (tts_next(spoken->utterance, &piece, &error) != G2P_OK) return jvm_given(machine, jvm_bad(&error));
  struct jvm_buffer buffer = jvm_good();
  jvm_put_number(&buffer, tts_ended(spoken->utterance));
  jvm_put(&buffer, &piece.first, sizeof piece.first);
  jvm_put_number(&buffer, (int32_t)piece.timings_count);
  jvm_put_number(&buffer, (int32_t)piece.samples_count);
  for (size_t i = 0; i < piece.timings_count; i++) {
    const tts_timing *timing = &piece.timings[i];
    jvm_put_number(&buffer, (int32_t)timing->start);
    jvm_put(&buffer, &timing->first, sizeof timing->first);
    jvm_put_number(&buffer, (int32_t)timing->samples);
  }
  jvm_put(&buffer, piece.samples, piece.samples_count * sizeof *piece.samples);
  return jvm_given(machine, buffer);
}

NATIVE(void, end, int64_t handle) {
  struct spoken *spoken = (struct spoken *)(intptr_t)handle;
  (void)machine, (void)class;
  tts_end(spoken->utterance);
  free_spoken(spoken);
}

/* A text's phonemes. The last three before the flag are what a G2P library lends: its model and two of its functions. */
NATIVE(jvm_bytes, read, int64_t handle, jvm_bytes text, jvm_bytes lang, int64_t words, int64_t next_part,
       int64_t pronounce, int64_t flag) {
  size_t size = 0, lang_size;
  char *data = jvm_taken(machine, text, &size), *code = jvm_taken(machine, lang, &lang_size);
  tts *model = opened_of(handle)->model;
  g2p_error error;
  g2p_text phonemes;
  struct jvm_buffer buffer;
  tts_text_request request = {.size = sizeof request, .text = {data, size}, .lang = code};
  request.g2p = (struct g2p *)(intptr_t)words;
  request.next_part = (g2p_status (*)(const char *, size_t, size_t, size_t *, g2p_part *, g2p_error *))next_part;
  request.pronounce = (g2p_status (*)(struct g2p *, const char *, const char *, char *, size_t, g2p_error *))pronounce;
  request.cancel = (volatile int32_t *)(intptr_t)flag;
  if (!data || !code) {
    buffer = jvm_no_memory();
  } else if (strlen(code) != lang_size) {
    buffer = jvm_wrong(G2P_UNKNOWN_LANGUAGE, "a language's code has a zero in it");
  } else if (tts_text(model, &request, &phonemes, &error) != G2P_OK) {
    buffer = jvm_bad(&error);
  } else {
    buffer = jvm_good();
    jvm_put_text(&buffer, phonemes);
    tts_free_text(model, &phonemes);
  }
  free(data);
  free(code);
  return jvm_given(machine, buffer);
}
