/* Words to ids and ids to phonemes, as a model's traits say: a word is brought into the form of text that the model was
 * trained on, and an id is a UTF-8 byte of that plus an offset.
 *
 * Every byte of the prompt is a byte: a word that happens to spell "</s>" is four letters here, not a special id. */
#include "text.h"

#include <string.h>

/* Unicode's categories Cc, Zl and Zp. Not Cf: some scripts spell words with the zero-width joiner. */
static bool is_control(uint32_t code) {
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029;
}

struct kind {
  bool valid, white, control; /* UTF-8; nothing but white space; some control character */
};

static struct kind kind_of(g2p_text text) {
  struct kind kind = {true, true, false};
  const char *at = text.data, *end = text.size ? at + text.size : at;
  for (uint32_t code; at < end;) {
    size_t size = g2p_utf8(at, end, &code);
    if (!size) {
      kind.valid = false;
      break;
    }
    kind.white = kind.white && g2p_is_white(code);
    kind.control = kind.control || is_control(code);
    at += size;
  }
  return kind;
}

bool g2p_is_word(g2p_text text) {
  struct kind kind = kind_of(text);
  return kind.valid && !kind.white && !kind.control;
}

bool g2p_is_code(g2p_text text) {
  struct kind kind = kind_of(text);
  return text.size && kind.valid && !kind.control;
}

bool g2p_is_blank(g2p_text text) {
  struct kind kind = kind_of(text);
  return kind.valid && kind.white;
}

/* Ids as far as there is room for them, and how many they would be. */
struct output {
  const struct g2p_traits *traits;
  int32_t *ids;
  size_t count;
};

static void put(struct output *output, const char *data, size_t size) {
  size_t room = (size_t)output->traits->input_len;
  for (size_t i = 0; i < size && output->count + i < room; i++) {
    output->ids[output->count + i] = (unsigned char)data[i] + output->traits->byte_offset;
  }
  output->count += size;
}

const struct g2p_writing *g2p_writing_of(const struct g2p_traits *traits, const char *lang) {
  if (!traits->writings || !traits->languages) {
    return traits->writings;
  }
  for (size_t i = 0; i < traits->languages_count; i++) {
    if (strcmp(traits->languages[i], lang) == 0) {
      return &traits->writings[i];
    }
  }
  return NULL;
}

/* The end of `ids`, whose other places the prompt and the word's ids fill from the front: a word's form is as long as its
 * ids are many, and has a quarter of their bytes. */
static char *end_of(const struct g2p_traits *traits, int32_t *ids) { return (char *)(ids + traits->input_len); }

static const char *advice_for(enum g2p_kind kind) {
  switch (kind) {
    case G2P_SPACE: return "give one word at a time";
    case G2P_DIGIT:
    case G2P_NUMBER: return "write numbers out";
    case G2P_LETTER:
    case G2P_JOINING_LETTER: return "name the language that the word is of";
    default: return "leave it out";
  }
}

/* Whether there is nothing in a text but punctuation and marks, which nobody pronounces. */
static bool is_punctuation(g2p_text text) {
  const char *at = text.data, *end = at + text.size;
  for (uint32_t code; at < end;) {
    at += g2p_utf8(at, end, &code);
    enum g2p_kind kind = g2p_kind_of(code);
    if (kind != G2P_PUNCTUATION && kind != G2P_MARK && kind != G2P_JOINING_MARK && kind != G2P_INHERITED_MARK) {
      return false;
    }
  }
  return true;
}

/* Says which character of a word, as it was typed, is not of the language's alphabet. */
static g2p_status refuse_foreign(const struct g2p_writing *writing, g2p_text word, const char *lang, char *text,
                                 size_t capacity, size_t offset, uint32_t code, g2p_error *error) {
  char name[9], written[4];
  uint32_t same;
  g2p_text character = {written, g2p_utf8(text + offset, text + capacity, &same)};
  memcpy(written, text + offset, character.size);
  g2p_name_code(code, name);
  size_t at = g2p_form_origin(&writing->form, word, text, capacity, offset);
  enum g2p_kind kind = g2p_kind_of(code);
  return g2p_fail(error, G2P_FOREIGN_CHARACTER,
                  "%t (%s, %s) at byte %z of the word %t is not in the alphabet of %s: %s", &character, name,
                  g2p_kind_name(kind), at, &word, lang, advice_for(kind));
}

/* The word in its language's form, at the end of `ids`. */
static g2p_status in_form(const struct g2p_traits *traits, g2p_text word, const char *lang, int32_t *ids,
                          g2p_text *form, g2p_error *error) {
  const struct g2p_writing *writing = g2p_writing_of(traits, lang);
  *form = word;
  if (!writing) {
    return G2P_OK;
  }
  size_t capacity = (size_t)traits->input_len * sizeof *ids;
  char *text = end_of(traits, ids) - capacity;
  size_t size = g2p_form_word(&writing->form, word, text, capacity);
  if (size == SIZE_MAX) {
    return g2p_fail(error, G2P_WORD_TOO_LONG,
                    "the word %t is %z bytes, and this variant takes %z with its prompt: shorten "
                    "it, or build with larger max_lens",
                    &word, word.size, (size_t)traits->input_len);
  }
  if (!size) {
    return g2p_fail(error, G2P_EMPTY_WORD, "the word %t is empty: give at least one letter", &word);
  }
  uint32_t code;
  size_t offset = g2p_foreign(&writing->alphabet, (g2p_text){text, size}, &code);
  if (offset < size) {
    return refuse_foreign(writing, word, lang, text, capacity, offset, code, error);
  }
  if (writing->alphabet.ranges && is_punctuation((g2p_text){text, size})) {
    return g2p_fail(error, G2P_EMPTY_WORD, "the word %t has no letter: give at least one", &word);
  }
  *form = (g2p_text){end_of(traits, ids) - size, size};
  memmove(end_of(traits, ids) - size, text, size);
  return G2P_OK;
}

g2p_status g2p_check_word(g2p_text word, g2p_error *error) {
  struct kind kind = kind_of(word);
  if (!kind.valid) {
    return g2p_fail(error, G2P_INVALID_WORD, "the word %t is not valid UTF-8: give it in that encoding", &word);
  }
  if (kind.white) {
    return g2p_fail(error, G2P_EMPTY_WORD, "the word %t is empty: give at least one letter", &word);
  }
  if (kind.control) {
    return g2p_fail(error, G2P_INVALID_WORD,
                    "the word %t holds a control character: give one word without tabs or line ends", &word);
  }
  return G2P_OK;
}

g2p_status g2p_encode(const struct g2p_traits *traits, g2p_text word, const char *lang, int32_t *ids, int32_t *count,
                      g2p_error *error) {
  g2p_text form;
  g2p_status status = g2p_check_word(word, error);
  if (status == G2P_OK) status = in_form(traits, word, lang, ids, &form, error);
  if (status != G2P_OK) {
    return status;
  }
  struct output output = {traits, ids, 0};
  const char *at = traits->prompt;
  while (*at) {
    if (strncmp(at, "{word}", 6) == 0) {
      put(&output, form.data, form.size);
      at += 6;
    } else if (strncmp(at, "{lang}", 6) == 0) {
      put(&output, lang, strlen(lang));
      at += 6;
    } else {
      put(&output, at++, 1);
    }
  }
  size_t room = (size_t)traits->input_len;
  if (traits->append_eos) {
    if (output.count < room) {
      ids[output.count] = traits->eos_id;
    }
    output.count++;
  }
  if (output.count > room) {
    return g2p_fail(error, G2P_WORD_TOO_LONG,
                    "the word %t is %z bytes, %z with its prompt%s, and this variant takes %z: shorten it, or build "
                    "with larger max_lens",
                    &word, form.size, output.count, traits->append_eos ? " and end token" : "", room);
  }
  *count = (int32_t)output.count;
  return G2P_OK;
}

size_t g2p_letters(const struct g2p_traits *traits, g2p_text word, const char *lang, int32_t *room, uint32_t *letters) {
  g2p_text form;
  size_t count = 0;
  if (in_form(traits, word, lang, room, &form, NULL) != G2P_OK) return 0;
  for (const char *at = form.data, *end = at + form.size; at < end && count < (size_t)traits->input_len; count++)
    at += g2p_utf8(at, end, &letters[count]);
  return count;
}

size_t g2p_decode(const struct g2p_traits *traits, const int32_t *ids, size_t count, char *text) {
  size_t size = 0, kept = 0;
  for (size_t i = 0; i < count; i++) {
    int64_t byte = (int64_t)ids[i] - traits->byte_offset;
    bool special = ids[i] == traits->pad_id || ids[i] == traits->eos_id || ids[i] == traits->unk_id;
    if (byte >= 0 && byte < 256 && !special) {
      text[size++] = (char)byte;
    }
  }
  /* A broken character goes byte by byte: those of it that are left begin none. */
  for (size_t at = 0; at < size;) {
    uint32_t code;
    size_t whole = g2p_utf8(text + at, text + size, &code);
    memmove(text + kept, text + at, whole);
    kept += whole;
    at += whole ? whole : 1;
  }
  return kept;
}
