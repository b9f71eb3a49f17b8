/* Calls the parts of the core that are not exported: requests come on standard input, answers go to standard output.
 *
 * A request is a letter, the number of its fields and each field with its length before it; an answer is a status,
 * then bytes with their length before them: the result, or the error's message. Numbers are 4 bytes, native. Every
 * field is a piece of memory of its own, of its exact size, so that a sanitizer sees what is read beside it. */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "made.h"

enum { MOST_FIELDS = 64 };

static bool get(void *data, size_t size) { return fread(data, 1, size, stdin) == size; }

static void answer(g2p_status status, const g2p_error *error, const void *data, size_t size) {
  if (error && status) {
    data = error->message;
    size = strlen(error->message);
    if (error->status != status || error->word != SIZE_MAX) {
      abort();
    }
  }
  uint32_t numbers[2] = {(uint32_t)status, (uint32_t)size};
  fwrite(numbers, 1, sizeof numbers, stdout);
  fwrite(data, 1, size, stdout);
  fflush(stdout);
}

/* A field with a zero after it, which the caller frees. */
static char *string(g2p_text field) {
  char *text = malloc(field.size + 1);
  memcpy(text, field.data, field.size);
  text[field.size] = 0;
  return text;
}

/* prompt, digests of the model and the functions, numbers, and a field for each language; no language: any is taken. */
static void set_variant(const g2p_text *fields, size_t count) {
  static char *kept[MOST_FIELDS];
  static const char *languages[MOST_FIELDS];
  int32_t numbers[6];
  for (size_t i = 0; i < MOST_FIELDS; i++) {
    free(kept[i]);
    kept[i] = i < count ? string(fields[i]) : NULL;
  }
  for (size_t i = 4; i < count; i++) {
    languages[i - 4] = kept[i];
  }
  memcpy(numbers, fields[3].data, sizeof numbers);
  made_traits.prompt = kept[0];
  made_variant.model_digest = kept[1];
  made_variant.functions_digest = kept[2];
  made_traits.byte_offset = numbers[0];
  made_traits.pad_id = numbers[1];
  made_traits.eos_id = numbers[2];
  made_traits.unk_id = numbers[3];
  made_traits.append_eos = numbers[4];
  made_traits.input_len = numbers[5];
  made_traits.languages = count > 4 ? languages : NULL;
  made_traits.languages_count = count - 4;
}

static void encode(g2p_text word, g2p_text code, g2p_error *error) {
  char *lang = string(code);
  int32_t count = 0, *ids = malloc((size_t)made_traits.input_len * sizeof *ids);
  const char *known = g2p_language(&made_traits, lang);
  g2p_status status = g2p_check_language(&made_traits, known, error);
  if (!status) {
    status = g2p_encode(&made_traits, word, known, ids, &count, error);
  }
  answer(status, error, ids, (size_t)count * sizeof *ids);
  free(ids);
  free(lang);
}

static void decode(g2p_text ids) {
  size_t count = ids.size / sizeof(int32_t);
  char *text = malloc(count);
  answer(G2P_OK, NULL, text, g2p_decode(&made_traits, (const int32_t *)(const void *)ids.data, count, text));
  free(text);
}

/* The digest of data that come in pieces: by what is fastest here, then as every processor computes it. */
static void digest(const g2p_text *fields, size_t count) {
  char hex[2 * 64 + 1];
  for (int plain = 0; plain < 2; plain++) {
    struct g2p_sha256 sha;
    g2p_sha256_begin(&sha);
    sha.fast &= !plain;
    for (size_t i = 0; i < count; i++) {
      g2p_sha256_add(&sha, fields[i].data, fields[i].size);
    }
    g2p_sha256_end(&sha, hex + 64 * plain);
  }
  answer(G2P_OK, NULL, hex, 128);
}

/* Where each tensor begins: 8 bytes each. */
static void weights(g2p_text data, g2p_error *error) {
  const void *pointers[8];
  uint64_t offsets[8];
  g2p_status status = g2p_find_weights(&made_program, data.data, data.size, pointers, error);
  for (size_t i = 0; !status && i < made_program.weights_count; i++) {
    offsets[i] = (uint64_t)((const char *)pointers[i] - data.data);
  }
  answer(status, error, offsets, status ? 0 : made_program.weights_count * sizeof *offsets);
}

static void manifest(g2p_text field, g2p_error *error) {
  char *path = string(field);
  struct g2p_weights_file file;
  char text[sizeof file + 100];
  g2p_status status = g2p_read_manifest(&made_variant, path, &file, error);
  if (!status) {
    snprintf(text, sizeof text, "%s\n%s\n%llu", file.path, file.sha256, (unsigned long long)file.size);
  }
  answer(status, error, text, status ? 0 : strlen(text));
  free(path);
}

static void map(g2p_text field, g2p_error *error) {
  char *path = string(field);
  struct g2p_mapping mapping;
  g2p_status status = g2p_map(path, &mapping, error);
  answer(status, error, status ? "" : mapping.data, status ? 0 : mapping.size);
  if (!status) {
    g2p_unmap(&mapping);
  }
  free(path);
}

/* The first feature that is missing, of those that are asked for. */
static void features(const g2p_text *fields, size_t count) {
  char *names[MOST_FIELDS];
  for (size_t i = 0; i < count; i++) {
    names[i] = string(fields[i]);
  }
  made_variant.features = (const char *const *)names;
  made_variant.features_count = count;
  const char *missing = g2p_missing_feature(&made_variant);
  answer(G2P_OK, NULL, missing ? missing : "", missing ? strlen(missing) : 0);
  made_variant.features_count = 0;
  for (size_t i = 0; i < count; i++) {
    free(names[i]);
  }
}

/* Memory of every size up to some: aligned, writable, released. */
static void memory(void) {
  g2p_status status = g2p_allocate(&g2p_malloc, SIZE_MAX - 1) ? G2P_INVALID_ARGUMENT : G2P_OK;
  for (size_t size = 0; size < 300; size++) {
    char *data = g2p_allocate(&g2p_malloc, size);
    status = !data || (uintptr_t)data % G2P_ALIGNMENT ? G2P_INVALID_ARGUMENT : status;
    memset(data, 1, size);
    g2p_release(&g2p_malloc, data, size);
  }
  g2p_release(&g2p_malloc, NULL, 0);
  answer(status, NULL, "", 0);
}

static void run(char command, const g2p_text *fields, size_t count) {
  g2p_error error = {.status = G2P_OK};
  g2p_text value;
  switch (command) {
    case 'C':
      set_variant(fields, count);
      answer(G2P_OK, NULL, "", 0);
      break;
    case 'E': encode(fields[0], fields[1], &error); break;
    case 'D': decode(fields[0]); break;
    case 'S': digest(fields, count); break;
    case 'J': answer(G2P_OK, NULL, "yes", g2p_json_check(fields[0], &value) ? 3 : 0); break;
    case 'W': weights(fields[0], &error); break;
    case 'M': manifest(fields[0], &error); break;
    case 'O': map(fields[0], &error); break;
    case 'X': features(fields, count); break;
    case 'A': memory(); break;
    case 'F':
      answer(g2p_fail(&error, G2P_INVALID_ARGUMENT, "%t %d %z%%", &fields[0], -12, (size_t)34), &error, "", 0);
      break;
    default: abort();
  }
}

int main(void) {
  char command;
  uint32_t count, size;
  while (get(&command, 1) && get(&count, sizeof count) && count <= MOST_FIELDS) {
    g2p_text fields[MOST_FIELDS];
    for (uint32_t i = 0; i < count; i++) {
      void *data = NULL;
      if (!get(&size, sizeof size) || posix_memalign(&data, G2P_ALIGNMENT, size) || !get(data, size)) {
        return 1;
      }
      fields[i] = (g2p_text){data, size};
    }
    run(command, fields, count);
    for (uint32_t i = 0; i < count; i++) {
      free((void *)(uintptr_t)fields[i].data);
    }
  }
  return 0;
}
