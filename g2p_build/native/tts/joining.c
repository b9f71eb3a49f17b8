/* A text as a speech model reads it: its words pronounced, by a table of their language, and its punctuation. */
#include <string.h>

#include "model.h"

enum { ROOM = 1024, MOST_ROOM = 1 << 20 }; /* bytes of a word's phonemes */

/* Memory that grows. */
struct buffer {
  const g2p_allocator *allocator;
  char *data;
  size_t size, capacity;
};

/* Makes room for `more` bytes behind what a buffer holds. */
static bool grow(struct buffer *buffer, size_t more) {
  if (more <= buffer->capacity - buffer->size) return true;
  size_t capacity = 2 * (buffer->size + more);
  char *data = g2p_allocate(buffer->allocator, capacity);
  if (!data) return false;
  if (buffer->size) memcpy(data, buffer->data, buffer->size);
  g2p_release(buffer->allocator, buffer->data, buffer->capacity);
  buffer->data = data;
  buffer->capacity = capacity;
  return true;
}

static void end_buffer(struct buffer *buffer) { g2p_release(buffer->allocator, buffer->data, buffer->capacity); }

struct joining {
  const tts_text_request *request;
  const struct tts_language *language;
  g2p_error *error;
  bool blank; /* comes before the next character that is none */
  struct buffer found, word, phonemes, moved;
};

static g2p_status no_memory(const struct joining *joining) {
  return g2p_fail(joining->error, G2P_NO_MEMORY, "no memory for %z bytes of text", joining->request->text.size);
}

/* Adds what the model reads. */
static g2p_status put(struct joining *joining, const char *data, size_t size) {
  struct buffer *found = &joining->found;
  if (!grow(found, size + 1)) return no_memory(joining);
  if (joining->blank && found->size) found->data[found->size++] = ' ';
  joining->blank = false;
  memcpy(found->data + found->size, data, size);
  found->size += size;
  return G2P_OK;
}

/* Hyphens part words; of dashes, brackets and quotation marks there is one kind. */
static const char *read_as(uint32_t code) {
  switch (code) {
    case '-':
    case 0x2010:
    case 0x2011: return " ";
    case 0x2013: return "\342\200\224"; /* an em dash */
    case '[':
    case '{': return "(";
    case ']':
    case '}': return ")";
    case 0xab:
    case 0x2018: return "\342\200\234"; /* quotation marks, of which the first ones open */
    case 0xbb:
    case 0x2019: return "\342\200\235";
    case '\'': return "\"";
    default: return NULL;
  }
}

/* What is between words. */
static g2p_status put_between(struct joining *joining, g2p_text text) {
  g2p_status status = G2P_OK;
  for (const char *at = text.data, *end = at + text.size; at < end && status == G2P_OK;) {
    uint32_t code = 0;
    size_t size = g2p_utf8(at, end, &code);
    const char *other = size ? read_as(code) : NULL;
    if (size && (g2p_is_white(code) || (other && *other == ' ')))
      joining->blank = true;
    else
      status = other ? put(joining, other, strlen(other)) : put(joining, at, size ? size : 1);
    at += size ? size : 1;
  }
  return status;
}

static bool is_stress(uint32_t code) { return code == 0x2c8 || code == 0x2cc; }

static bool holds(const char *characters, uint32_t wanted) {
  uint32_t code;
  for (const char *at = characters, *end = at + strlen(at); at < end; at += g2p_utf8(at, end, &code))
    if (g2p_utf8(at, end, &code) && code == wanted) return true;
  return false;
}

/* Moves each stress before the next vowel of its word. What has none is left out. */
static bool move_stress(struct joining *joining, g2p_text phonemes) {
  struct buffer *moved = &joining->moved;
  moved->size = 0;
  if (!grow(moved, phonemes.size)) return false;
  g2p_text held = {NULL, 0};
  for (const char *at = phonemes.data, *end = at + phonemes.size; at < end;) {
    uint32_t code = 0;
    size_t size = g2p_utf8(at, end, &code);
    if (!size) size = 1;
    if (is_stress(code)) {
      held = (g2p_text){at, size};
    } else {
      if (code == ' ') held.size = 0;
      if (held.size && holds(joining->language->vowels, code)) {
        memcpy(moved->data + moved->size, held.data, held.size);
        moved->size += held.size;
        held.size = 0;
      }
      memcpy(moved->data + moved->size, at, size);
      moved->size += size;
    }
    at += size;
  }
  return true;
}

/* Adds a pronunciation's symbols. */
static g2p_status put_symbols(struct joining *joining, g2p_text word, g2p_text phonemes) {
  const struct tts_language *language = joining->language;
  if (!move_stress(joining, phonemes)) return no_memory(joining);
  const char *at = joining->moved.data, *end = at + joining->moved.size;
  g2p_status status = G2P_OK;
  while (at < end && status == G2P_OK) {
    size_t size = 0, pair = 0;
    for (; pair < language->pairs_count; pair++) {
      size = strlen(language->pairs[pair][0]);
      if (size <= (size_t)(end - at) && memcmp(at, language->pairs[pair][0], size) == 0) break;
    }
    if (pair < language->pairs_count) {
      status = put(joining, language->pairs[pair][1], strlen(language->pairs[pair][1]));
    } else if (*at == ' ') {
      joining->blank = true;
      size = 1;
    } else {
      uint32_t code;
      g2p_text unknown = {at, g2p_utf8(at, end, &code)};
      if (!unknown.size) unknown.size = 1;
      return g2p_fail(joining->error, G2P_FOREIGN_CHARACTER,
                      "the word %t is pronounced %t, and the speech model's table of %s has no %t: write another word",
                      &word, &phonemes, language->code, &unknown);
    }
    at += size;
  }
  return status;
}

static g2p_status put_word(struct joining *joining, g2p_text word) {
  struct buffer *copy = &joining->word, *phonemes = &joining->phonemes;
  copy->size = phonemes->size = 0;
  if (memchr(word.data, 0, word.size))
    return g2p_fail(joining->error, G2P_INVALID_WORD, "the word %t holds a control character: leave it out", &word);
  if (!grow(copy, word.size + 1) || !grow(phonemes, ROOM)) return no_memory(joining);
  memcpy(copy->data, word.data, word.size);
  copy->data[word.size] = 0;
  const tts_text_request *request = joining->request;
  for (;;) {
    g2p_status status = request->pronounce(request->g2p, copy->data, joining->language->code, phonemes->data,
                                           phonemes->capacity, joining->error);
    if (status == G2P_OK) return put_symbols(joining, word, (g2p_text){phonemes->data, strlen(phonemes->data)});
    if (status != G2P_TOO_SMALL || phonemes->capacity > MOST_ROOM) return status;
    if (!grow(phonemes, 2 * phonemes->capacity)) return no_memory(joining);
  }
}

static g2p_status put_part(struct joining *joining, size_t start, g2p_text text, g2p_part part) {
  size_t place = 1;
  switch (part) {
    case G2P_PART_WORD: return put_word(joining, text);
    case G2P_PART_SPACE: joining->blank = true; return G2P_OK;
    case G2P_PART_OTHER: return put_between(joining, text);
    default: break;
  }
  for (size_t i = 0; i < start; i++) place += ((unsigned char)joining->request->text.data[i] & 0xc0) != 0x80;
  return g2p_fail(joining->error, G2P_FOREIGN_CHARACTER,
                  "the text has a number, %t, at character %z: write it out in words", &text, place);
}

static g2p_status join(struct joining *joining) {
  const tts_text_request *request = joining->request;
  for (size_t start = 0, end; start < request->text.size; start = end) {
    if (request->cancel && __atomic_load_n(request->cancel, __ATOMIC_RELAXED))
      return g2p_fail(joining->error, G2P_CANCELLED, "the call was cancelled");
    g2p_part part;
    g2p_status status = request->next_part(request->text.data, request->text.size, start, &end, &part, joining->error);
    if (status == G2P_OK) {
      g2p_text text = {request->text.data + start, end - start};
      status = put_part(joining, start, text, part);
    }
    if (status != G2P_OK) {
      if (joining->error) joining->error->word = start;
      return status;
    }
  }
  return G2P_OK;
}

/* The language of a code; NULL, and what is wrong with it: there is no table. */
static const struct tts_language *language_of(const struct tts_traits *traits, const char *code, g2p_error *error) {
  char listed[120] = "none";
  size_t size = 0;
  for (size_t i = 0; i < traits->languages_count; i++) {
    const char *other = traits->languages[i].code;
    if (strcmp(other, code) == 0) return &traits->languages[i];
    size_t more = strlen(other);
    if (size + more + 3 > sizeof listed) continue;
    if (size) {
      memcpy(listed + size, ", ", 2);
      size += 2;
    }
    memcpy(listed + size, other, more + 1);
    size += more;
  }
  g2p_text shown = {code, strlen(code)};
  g2p_fail(error, G2P_UNKNOWN_LANGUAGE, "the speech model does not speak %t: it speaks %s", &shown, listed);
  return NULL;
}

const char *const *tts_languages(const tts *model, size_t *count) {
  if (count) *count = model ? model->traits->languages_count : 0;
  return model ? model->traits->codes : NULL;
}

g2p_status tts_text(tts *model, const tts_text_request *request, g2p_text *phonemes, g2p_error *error) {
  g2p_no_error(error);
  if (phonemes) *phonemes = (g2p_text){NULL, 0};
  if (!model || !request || !phonemes)
    return g2p_fail(error, G2P_INVALID_ARGUMENT, "tts_text was given a null pointer");
  if (request->size != sizeof *request)
    return g2p_fail(error, G2P_INVALID_ARGUMENT, "the request says that it has %z bytes, not %z: set size to sizeof",
                    request->size, sizeof *request);
  if ((!request->text.data && request->text.size) || !request->lang || !request->g2p || !request->next_part ||
      !request->pronounce)
    return g2p_fail(error, G2P_INVALID_ARGUMENT, "the request of tts_text holds a null pointer");
  struct buffer empty = {.allocator = model->allocator};
  struct joining joining = {request, NULL, error, false, empty, empty, empty, empty};
  joining.language = language_of(model->traits, request->lang, error);
  if (!joining.language) return G2P_UNKNOWN_LANGUAGE;
  g2p_status status = join(&joining);
  if (status == G2P_OK && joining.found.size) {
    char *data = g2p_allocate(model->allocator, joining.found.size);
    if (data)
      *phonemes = (g2p_text){memcpy(data, joining.found.data, joining.found.size), joining.found.size};
    else
      status = no_memory(&joining);
  }
  end_buffer(&joining.found);
  end_buffer(&joining.word);
  end_buffer(&joining.phonemes);
  end_buffer(&joining.moved);
  return status;
}

void tts_free_text(tts *model, g2p_text *phonemes) {
  if (!model || !phonemes || !phonemes->data) return;
  g2p_release(model->allocator, (void *)(uintptr_t)phonemes->data, phonemes->size);
  *phonemes = (g2p_text){NULL, 0};
}
