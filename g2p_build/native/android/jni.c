/* The functions behind the Kotlin class g2p.runtime.Native.
 *
 * What they return is a byte[] in the machine's byte order: a status, and then what was asked for. With another status
 * than G2P_OK: the number of the word that is wrong, or -1, and one line of UTF-8. NULL: the virtual machine has no
 * memory, and throws. Texts come as UTF-8, because the interface's own strings are another encoding. */
#if defined(__ANDROID__)
#include "bionic.h"
#else /* a test runs it on this machine */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

#include "g2p.h"
#include "jvm.h"

#define NATIVE(result, name, ...)                                                                                      \
  __attribute__((visibility("default"))) result Java_g2p_runtime_Native_##name(jvm machine, void *class, __VA_ARGS__); \
  result Java_g2p_runtime_Native_##name(jvm machine, void *class, __VA_ARGS__)

/* An open model, and the memory that its weights are in, where the library has not mapped them itself. */
struct opened {
  g2p *model;
  void *memory;
  size_t size;
};

/* Bytes that grow. `failed` once there was no memory, and from then on nothing is written. */
struct buffer {
  char *data;
  size_t size, room;
  int failed;
};

static void put(struct buffer *buffer, const void *data, size_t size) {
  if (buffer->failed) return;
  if (buffer->room - buffer->size < size) {
    size_t room = (buffer->room + size) * 2;
    char *larger = malloc(room);
    if (!larger) {
      buffer->failed = 1;
      return;
    }
    if (buffer->size) memcpy(larger, buffer->data, buffer->size);
    free(buffer->data);
    buffer->data = larger;
    buffer->room = room;
  }
  if (size) memcpy(buffer->data + buffer->size, data, size);
  buffer->size += size;
}

static void put_number(struct buffer *buffer, int32_t number) { put(buffer, &number, sizeof number); }

static void put_text(struct buffer *buffer, g2p_text text) {
  put_number(buffer, (int32_t)text.size);
  put(buffer, text.data, text.size);
}

static struct buffer good(void) {
  struct buffer buffer = {0};
  put_number(&buffer, G2P_OK);
  return buffer;
}

static struct buffer bad(const g2p_error *error) {
  struct buffer buffer = {0};
  put_number(&buffer, (int32_t)error->status);
  put_number(&buffer, error->word > INT32_MAX ? -1 : (int32_t)error->word);
  put(&buffer, error->message, strlen(error->message));
  return buffer;
}

static struct buffer wrong(g2p_status status, const char *message) {
  g2p_error error = {.status = status, .word = SIZE_MAX};
  memcpy(error.message, message, strlen(message) + 1);
  return bad(&error);
}

static struct buffer no_memory(void) { return wrong(G2P_NO_MEMORY, "there is no memory left"); }

/* Hands a buffer over to the virtual machine. */
static jvm_bytes given(jvm machine, struct buffer buffer) {
  if (buffer.failed || buffer.size > INT32_MAX) {
    free(buffer.data);
    buffer = buffer.failed ? no_memory()
                           : wrong(G2P_NO_MEMORY, "2 GB of results do not fit into an array: give fewer words");
  }
  jvm_bytes array = buffer.failed ? NULL : (*machine)->create(machine, (int32_t)buffer.size);
  if (array) (*machine)->set(machine, array, 0, (int32_t)buffer.size, (const int8_t *)buffer.data);
  free(buffer.data);
  return array;
}

/* A copy of an array, with a zero behind it; to be freed. NULL where there is no memory. */
static char *taken(jvm machine, jvm_bytes array, size_t *size) {
  int32_t length = (*machine)->length(machine, array);
  char *copy = malloc((size_t)length + 1);
  if (!copy) return NULL;
  (*machine)->get(machine, array, 0, length, (int8_t *)copy);
  copy[length] = 0;
  *size = (size_t)length;
  return copy;
}

/* Opens what lies in memory of our own, which it gives back where that fails; or, without memory, a file. */
static struct buffer opened(const char *path, void *memory, size_t offset, size_t weights, size_t size, int32_t flags,
                            int32_t threads) {
  g2p_options options = {.size = sizeof options, .flags = (uint32_t)flags, .threads = (uint32_t)threads};
  g2p_error error;
  struct opened *made = malloc(sizeof *made);
  g2p_status status = G2P_NO_MEMORY;
  if (made) {
    *made = (struct opened){NULL, memory, size};
    status = path ? g2p_open(path, &options, &made->model, &error)
                  : g2p_open_memory((char *)memory + offset, weights, &options, &made->model, &error);
  }
  if (status == G2P_OK) {
    struct buffer buffer = good();
    int64_t handle = (int64_t)(intptr_t)made;
    put(&buffer, &handle, sizeof handle);
    if (!buffer.failed) return buffer;
    g2p_close(made->model);
    free(buffer.data);
  }
  struct buffer failure = made && status != G2P_OK ? bad(&error) : no_memory();
  free(made);
  if (memory) munmap(memory, size);
  return failure;
}

static void *fresh(size_t size) {
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? NULL : memory;
}

NATIVE(jvm_bytes, open, jvm_bytes path, int32_t flags, int32_t threads) {
  size_t size;
  char *copy = taken(machine, path, &size);
  if (!copy) return given(machine, no_memory());
  struct buffer made = strlen(copy) == size ? opened(copy, NULL, 0, 0, 0, flags, threads)
                                            : wrong(G2P_NO_FILE, "a path has a zero in it: name another file");
  free(copy);
  return given(machine, made);
}

/* A part of a file. An app's package holds its assets at multiples of 4 bytes: what is not at one of 64 is read. */
NATIVE(jvm_bytes, openDescriptor, int32_t file, int64_t at, int64_t length, int32_t flags, int32_t threads) {
  long page = sysconf(_SC_PAGESIZE);
  if (at < 0 || length <= 0) return given(machine, wrong(G2P_INVALID_WEIGHTS, "there are no weights in 0 bytes"));
  struct stat found;
  if (fstat(file, &found) || found.st_size < at || found.st_size - at < length)
    return given(machine, wrong(G2P_NO_FILE, "the weights cannot be read to their end"));
  size_t offset = (size_t)(at % page), weights = (size_t)length, size = offset + weights;
  void *memory = offset % 64 ? MAP_FAILED : mmap(NULL, size, PROT_READ, MAP_PRIVATE, file, at - (int64_t)offset);
  if (memory == MAP_FAILED) {
    offset = 0;
    size = weights;
    memory = fresh(size);
    if (!memory) return given(machine, no_memory());
    for (size_t read = 0; read < size;) {
      ssize_t more = pread(file, (char *)memory + read, size - read, at + (int64_t)read);
      if (more <= 0) {
        munmap(memory, size);
        return given(machine, wrong(G2P_NO_FILE, "the weights cannot be read to their end"));
      }
      read += (size_t)more;
    }
  }
  return given(machine, opened(NULL, memory, offset, weights, size, flags, threads));
}

NATIVE(jvm_bytes, openBytes, jvm_bytes weights, int32_t flags, int32_t threads) {
  int32_t size = (*machine)->length(machine, weights);
  if (!size) return given(machine, wrong(G2P_INVALID_WEIGHTS, "there are no weights in 0 bytes"));
  void *memory = fresh((size_t)size);
  if (!memory) return given(machine, no_memory());
  (*machine)->get(machine, weights, 0, size, memory);
  return given(machine, opened(NULL, memory, 0, (size_t)size, (size_t)size, flags, threads));
}

NATIVE(void, close, int64_t handle) {
  struct opened *model = (struct opened *)(intptr_t)handle;
  (void)machine, (void)class;
  g2p_close(model->model);
  if (model->memory) munmap(model->memory, model->size);
  free(model);
}

static g2p *model_of(int64_t handle) { return ((struct opened *)(intptr_t)handle)->model; }

/* A flag that stops a call; 0 where there is no memory. */
NATIVE(int64_t, flag, int32_t nothing) {
  int32_t *flag = malloc(sizeof *flag);
  (void)machine, (void)class, (void)nothing;
  if (flag) *flag = 0;
  return (int64_t)(intptr_t)flag;
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
  char *data = taken(machine, words, &size), *code = taken(machine, lang, &lang_size);
  g2p_text *texts = malloc(sizeof *texts * ((size_t)count + 1));
  struct buffer buffer = no_memory();
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
      buffer = wrong(G2P_UNKNOWN_LANGUAGE, "a language's code has a zero in it");
    } else if ((search ? g2p_best(model, &request, search, &found, &error)
                       : g2p_results_all(model, &request, &found, &error)) != G2P_OK) {
      buffer = bad(&error);
    } else {
      buffer = good();
      for (size_t i = 0; i < found.count; i++) {
        const g2p_result *each = &found.data[i];
        put_number(&buffer, (int32_t)each->word);
        put_number(&buffer, (int32_t)each->status);
        put_number(&buffer, (int32_t)each->source);
        put_number(&buffer, (int32_t)(each->truncated | each->repeats << 1));
        put(&buffer, &each->score, sizeof each->score);
        put_text(&buffer, each->phonemes);
        put_text(&buffer, each->message);
      }
      g2p_free_results(model, &found);
    }
  }
  free(data);
  free(code);
  free(texts);
  return given(machine, buffer);
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
  char *copy = taken(machine, tag, &size);
  if (!copy) return given(machine, no_memory());
  g2p_error error;
  const char *code;
  struct buffer buffer;
  if (strlen(copy) != size) {
    buffer = wrong(G2P_UNKNOWN_LANGUAGE, "a language's code has a zero in it");
  } else if (g2p_find_language(model_of(handle), copy, &code, &error) != G2P_OK) {
    buffer = bad(&error);
  } else {
    buffer = good();
    put_text(&buffer, (g2p_text){code, strlen(code)});
  }
  free(copy);
  return given(machine, buffer);
}

NATIVE(jvm_bytes, cacheWords, int64_t handle, int32_t words) {
  g2p_error error;
  g2p_status status = g2p_cache_words(model_of(handle), words < 0 ? 0 : (size_t)words, &error);
  return given(machine, status == G2P_OK ? good() : bad(&error));
}

/* The user's own words: lines of a word, a tab and its pronunciations. */
NATIVE(jvm_bytes, addLexicon, int64_t handle, jvm_bytes lines, jvm_bytes lang) {
  size_t size, lang_size;
  char *data = taken(machine, lines, &size), *code = taken(machine, lang, &lang_size);
  g2p_error error;
  struct buffer buffer;
  if (!data || !code)
    buffer = no_memory();
  else if (strlen(code) != lang_size)
    buffer = wrong(G2P_UNKNOWN_LANGUAGE, "a language's code has a zero in it");
  else if (g2p_add_lexicon_memory(model_of(handle), data, size, code, &error) != G2P_OK)
    buffer = bad(&error);
  else
    buffer = good();
  free(data);
  free(code);
  return given(machine, buffer);
}

/* The parts of a text: what each is, and where it ends. */
NATIVE(jvm_bytes, parts, jvm_bytes text) {
  size_t size;
  char *data = taken(machine, text, &size);
  if (!data) return given(machine, no_memory());
  struct buffer buffer = good();
  for (size_t start = 0, end; start < size; start = end) {
    g2p_part part;
    g2p_error error;
    if (g2p_next_part(data, size, start, &end, &part, &error) != G2P_OK) {
      free(buffer.data);
      buffer = bad(&error);
      break;
    }
    put_number(&buffer, (int32_t)part);
    put_number(&buffer, (int32_t)end);
  }
  free(data);
  return given(machine, buffer);
}

/* The languages' codes; a count of -1 where the model takes any. Then what it is, as JSON. */
NATIVE(jvm_bytes, about, int64_t handle) {
  size_t count;
  const char *const *codes = g2p_languages(model_of(handle), &count);
  struct buffer buffer = good();
  put_number(&buffer, codes ? (int32_t)count : -1);
  for (size_t i = 0; codes && i < count; i++) put_text(&buffer, (g2p_text){codes[i], strlen(codes[i])});
  const char *info = g2p_info(model_of(handle));
  put_text(&buffer, (g2p_text){info, strlen(info)});
  return given(machine, buffer);
}
