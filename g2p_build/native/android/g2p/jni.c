/* The functions behind the Kotlin class g2p.runtime.Native. glue.h says what they return. */
#include <stdlib.h>
#include <string.h>

#include "g2p.h"
#include "glue.h"

#define NATIVE(result, name, ...) JVM_NATIVE(result, Java_g2p_runtime_Native_##name, __VA_ARGS__)

/* An open model, and the memory that its weights are in, where the library has not mapped them itself. */
struct opened {
  g2p *model;
  struct jvm_content weights;
};

/* Opens weights in memory, which become its own; or, without any, those of a file. */
static struct jvm_buffer opened(const char *path, struct jvm_content weights, int32_t flags, int32_t threads) {
  g2p_options options = {.size = sizeof options, .flags = (uint32_t)flags, .threads = (uint32_t)threads};
  g2p_error error;
  struct opened *made = malloc(sizeof *made);
  g2p_status status = G2P_NO_MEMORY;
  if (made) {
    *made = (struct opened){NULL, weights};
    status = path ? g2p_open(path, &options, &made->model, &error)
                  : g2p_open_memory(weights.data, weights.size, &options, &made->model, &error);
  }
  if (status == G2P_OK) {
    struct jvm_buffer buffer = jvm_good();
    int64_t handle = (int64_t)(intptr_t)made;
    jvm_put(&buffer, &handle, sizeof handle);
    if (!buffer.failed) return buffer;
    g2p_close(made->model);
    free(buffer.data);
  }
  struct jvm_buffer failure = made && status != G2P_OK ? jvm_bad(&error) : jvm_no_memory();
  free(made);
  jvm_free(&weights);
  return failure;
}

NATIVE(jvm_bytes, open, jvm_bytes path, int32_t flags, int32_t threads) {
  size_t size;
  char *copy = jvm_taken(machine, path, &size);
  if (!copy) return jvm_given(machine, jvm_no_memory());
  struct jvm_buffer made = strlen(copy) == size ? opened(copy, (struct jvm_content){0}, flags, threads)
                                                : jvm_wrong(G2P_NO_FILE, "a path has a zero in it: name another file");
  free(copy);
  return jvm_given(machine, made);
}

NATIVE(jvm_bytes, openDescriptor, int32_t file, int64_t at, int64_t length, int32_t flags, int32_t threads) {
  struct jvm_content weights;
  g2p_error error;
  if (jvm_mapped(file, at, length, &weights, &error) != G2P_OK) return jvm_given(machine, jvm_bad(&error));
  return jvm_given(machine, opened(NULL, weights, flags, threads));
}

NATIVE(jvm_bytes, openBytes, jvm_bytes bytes, int32_t flags, int32_t threads) {
  struct jvm_content weights;
  g2p_error error;
  if (jvm_copied(machine, bytes, &weights, &error) != G2P_OK) return jvm_given(machine, jvm_bad(&error));
  return jvm_given(machine, opened(NULL, weights, flags, threads));
}

NATIVE(void, close, int64_t handle) {
  struct opened *model = (struct opened *)(intptr_t)handle;
  (void)machine, (void)class;
  g2p_close(model->model);
  jvm_free(&model->weights);
  free(model);
}

static g2p *model_of(int64_t handle) { return ((struct opened *)(intptr_t)handle)->model; }

NATIVE(int64_t, flag, int32_t nothing) {
  (void)machine, (void)class, (void)nothing;
  return jvm_flag();
}

NATIVE(void, raise, int64_t flag) {
  (void)machine, (void)class;
  g2p_cancel((volatile int32_t *)(intptr_t)flag);
}

NATIVE(void, release, int64_t flag) {
  (void)machine, (void)class;
  free((void *)(intptr_t)flag);
}

/* Words come as their sizes, 4 bytes each, and then their bytes. Where a search is given, each may have several results. */
static jvm_bytes answers(jvm machine, g2p *model, jvm_bytes words, int32_t count, jvm_bytes lang, int32_t flags,
                         int32_t threads, int64_t flag, const g2p_search *search) {
  size_t size, lang_size;
  char *data = jvm_taken(machine, words, &size), *code = jvm_taken(machine, lang, &lang_size);
  g2p_text *texts = malloc(sizeof *texts * ((size_t)count + 1));
  struct jvm_buffer buffer = jvm_no_memory();
  if (data && code && texts) {
    free(buffer.data);
    const char *at = data + 4 * (size_t)count;
    for (int32_t i = 0; i < count; i++) {
      int32_t length;
      memcpy(&length, data + 4 * (size_t)i, sizeof length);
      texts[i] = (g2p_text){at, (size_t)length};
      at += length;
    }
    g2p_request request = {.size = sizeof request, .words = texts, .count = (size_t)count, .lang = code};
    request.flags = (uint32_t)flags;
    request.threads = (uint32_t)threads;
    request.cancel = (volatile int32_t *)(intptr_t)flag;
    g2p_results found;
    g2p_error error;
    if (strlen(code) != lang_size) {
      buffer = jvm_wrong(G2P_UNKNOWN_LANGUAGE, "a language's code has a zero in it");
    } else if ((search ? g2p_best(model, &request, search, &found, &error)
                       : g2p_results_all(model, &request, &found, &error)) != G2P_OK) {
      buffer = jvm_bad(&error);
    } else {
      buffer = jvm_good();
      for (size_t i = 0; i < found.count; i++) {
        const g2p_result *each = &found.data[i];
        jvm_put_number(&buffer, (int32_t)each->word);
        jvm_put_number(&buffer, (int32_t)each->status);
        jvm_put_number(&buffer, (int32_t)each->source);
        jvm_put_number(&buffer, (int32_t)(each->truncated | each->repeats << 1));
        jvm_put(&buffer, &each->score, sizeof each->score);
        jvm_put_text(&buffer, each->phonemes);
        jvm_put_text(&buffer, each->message);
      }
      g2p_free_results(model, &found);
    }
  }
  free(data);
  free(code);
  free(texts);
  return jvm_given(machine, buffer);
}

NATIVE(jvm_bytes, results, int64_t handle, jvm_bytes words, int32_t count, jvm_bytes lang, int32_t flags,
       int32_t threads, int64_t flag) {
  return answers(machine, model_of(handle), words, count, lang, flags, threads, flag, NULL);
}

NATIVE(jvm_bytes, best, int64_t handle, jvm_bytes words, int32_t count, jvm_bytes lang, int32_t flags, int32_t threads,
       int64_t flag, int32_t most, int32_t beams, int32_t early) {
  g2p_search search = {.size = sizeof search, .early = (uint32_t)early};
  search.count = most < 0 ? 0 : (uint32_t)most;
  search.beams = beams < 0 ? 0 : (uint32_t)beams;
  return answers(machine, model_of(handle), words, count, lang, flags, threads, flag, &search);
}

/* The model's own code for a tag. */
NATIVE(jvm_bytes, language, int64_t handle, jvm_bytes tag) {
  size_t size;
  char *copy = jvm_taken(machine, tag, &size);
  if (!copy) return jvm_given(machine, jvm_no_memory());
  g2p_error error;
  const char *code;
  struct jvm_buffer buffer;
  if (strlen(copy) != size) {
    buffer = jvm_wrong(G2P_UNKNOWN_LANGUAGE, "a language's code has a zero in it");
  } else if (g2p_find_language(model_of(handle), copy, &code, &error) != G2P_OK) {
    buffer = jvm_bad(&error);
  } else {
    buffer = jvm_good();
    jvm_put_text(&buffer, (g2p_text){code, strlen(code)});
  }
  free(copy);
  return jvm_given(machine, buffer);
}

NATIVE(jvm_bytes, cacheWords, int64_t handle, int32_t words) {
  g2p_error error;
  g2p_status status = g2p_cache_words(model_of(handle), words < 0 ? 0 : (size_t)words, &error);
  return jvm_given(machine, status == G2P_OK ? jvm_good() : jvm_bad(&error));
}

/* The user's own words: lines of a word, a tab and its pronunciations. */
NATIVE(jvm_bytes, addLexicon, int64_t handle, jvm_bytes lines, jvm_bytes lang) {
  size_t size, lang_size;
  char *data = jvm_taken(machine, lines, &size), *code = jvm_taken(machine, lang, &lang_size);
  g2p_error error;
  struct jvm_buffer buffer;
  if (!data || !code)
    buffer = jvm_no_memory();
  else if (strlen(code) != lang_size)
    buffer = jvm_wrong(G2P_UNKNOWN_LANGUAGE, "a language's code has a zero in it");
  else if (g2p_add_lexicon_memory(model_of(handle), data, size, code, &error) != G2P_OK)
    buffer = jvm_bad(&error);
  else
    buffer = jvm_good();
  free(data);
  free(code);
  return jvm_given(machine, buffer);
}

/* The parts of a text: what each is, and where it ends. */
NATIVE(jvm_bytes, parts, jvm_bytes text) {
  size_t size;
  char *data = jvm_taken(machine, text, &size);
  if (!data) return jvm_given(machine, jvm_no_memory());
  struct jvm_buffer buffer = jvm_good();
  for (size_t start = 0, end; start < size; start = end) {
    g2p_part part;
    g2p_error error;
    if (g2p_next_part(data, size, start, &end, &part, &error) != G2P_OK) {
      free(buffer.data);
      buffer = jvm_bad(&error);
      break;
    }
    jvm_put_number(&buffer, (int32_t)part);
    jvm_put_number(&buffer, (int32_t)end);
  }
  free(data);
  return jvm_given(machine, buffer);
}

/* The languages' codes; a count of -1 where the model takes any. Then what it is, as JSON. */
NATIVE(jvm_bytes, about, int64_t handle) {
  size_t count;
  const char *const *codes = g2p_languages(model_of(handle), &count);
  struct jvm_buffer buffer = jvm_good();
  jvm_put_number(&buffer, codes ? (int32_t)count : -1);
  for (size_t i = 0; codes && i < count; i++) jvm_put_text(&buffer, (g2p_text){codes[i], strlen(codes[i])});
  const char *info = g2p_info(model_of(handle));
  jvm_put_text(&buffer, (g2p_text){info, strlen(info)});
  return jvm_given(machine, buffer);
}

/* What another library needs to pronounce words with this model: it, and two functions of g2p.h. */
NATIVE(jvm_bytes, lent, int64_t handle) {
  int64_t lent[] = {(int64_t)(intptr_t)model_of(handle), (int64_t)(intptr_t)g2p_next_part,
                    (int64_t)(intptr_t)g2p_pronounce};
  struct jvm_buffer buffer = jvm_good();
  jvm_put(&buffer, lent, sizeof lent);
  return jvm_given(machine, buffer);
}
