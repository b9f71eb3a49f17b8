/* Words brought into a form, in the caller's buffer alone: what is written of a letter and its marks is ordered and
 * composed there once the next letter begins. */
#include "form.h"

#include <string.h>

enum {
  ABOVE = 230, /* the combining class of marks above a letter */
  DOT_ABOVE = 0x307,
  DOTLESS_I = 0x131,
  DOTTED_I = 0x130,
  SIGMA = 0x3c3,
  FINAL_SIGMA = 0x3c2,
  CAPITAL_SIGMA = 0x3a3,
  ZWNJ = 0x200c,
  ZWJ = 0x200d
};

#define NOTHING UINT32_MAX /* no character: U+0000 is one */

struct writer {
  const struct g2p_form *form;
  char *out;
  size_t room;
  size_t size;   /* written */
  size_t kept;   /* of it, without white space at the end */
  size_t letter; /* where the last letter begins, which still may get marks */
  bool based;    /* it begins with a character that marks can compose with: all but marks at the very beginning do */
  bool spilt;    /* there was no room for white space, which does not matter if nothing follows */
  bool full;     /* there was no room */
  bool joined;   /* joined()'s answer, if nothing was written since: `asked` is the size then, else 0 */
  size_t asked;
  size_t offset, origin; /* g2p_form_origin's: wanted, found */
  size_t at, begun;      /* where in the word we are, and where the last letter began */
};

static size_t utf8_of(uint32_t code, char bytes[4]) {
  if (code < 0x80) {
    bytes[0] = (char)code;
    return 1;
  }
  size_t size = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  for (size_t i = size; i-- > 1; code >>= 6) {
    bytes[i] = (char)(0x80 | (code & 0x3f));
  }
  bytes[0] = (char)(0xf00 >> size | code);
  return size;
}

/* A character of what was written, which is UTF-8. */
static size_t read_at(const struct writer *writer, size_t at, uint32_t *code) {
  return g2p_utf8(writer->out + at, writer->out + writer->size, code);
}

/* Where the character before `at` begins. */
static size_t before(const struct writer *writer, size_t at) {
  do {
    at--;
  } while ((writer->out[at] & 0xc0) == 0x80);
  return at;
}

/* Puts a character, or nothing, in the place of `old` bytes. */
static void replace(struct writer *writer, size_t at, size_t old, uint32_t code) {
  char bytes[4];
  size_t size = code == NOTHING ? 0 : utf8_of(code, bytes);
  if (writer->size - old + size > writer->room) {
    writer->full = true;
    return;
  }
  memmove(writer->out + at + size, writer->out + at + old, writer->size - at - old);
  memcpy(writer->out + at, bytes, size);
  writer->size += size - old;
  writer->asked = 0;
}

/* What a character becomes by the form's pairs. */
static uint32_t mapped(const struct g2p_form *form, uint32_t code) {
  size_t low = 0, high = form->pairs_count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (form->pairs[middle].from == code) {
      return form->pairs[middle].to ? form->pairs[middle].to : NOTHING;
    }
    if (form->pairs[middle].from < code) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return code;
}

/* The lower case of I and J, by the marks that the letter at the end of what was written has. */
static void tailor(struct writer *writer) {
  uint32_t code, mark = 0;
  size_t at = writer->letter, size = read_at(writer, at, &code);
  bool turkic = writer->form->lower == G2P_LOWER_TURKIC;
  if (code != 'I' && (turkic || code != 'J')) {
    return;
  }
  size_t above = at + size, above_size = 0;
  while (above < writer->size) {
    above_size = read_at(writer, above, &mark);
    if ((g2p_record_of(mark) & G2P_COMBINING) == ABOVE) {
      break;
    }
    above += above_size;
  }
  bool accented = above < writer->size, dotted = accented && mark == DOT_ABOVE;
  if (turkic && dotted) {
    replace(writer, above, above_size, NOTHING);
  } else if (!turkic && accented && !dotted) {
    replace(writer, above, 0, DOT_ABOVE);
  }
  replace(writer, at, size, turkic && !dotted ? DOTLESS_I : code + ('a' - 'A'));
}

/* Changes marks by the form's pairs once they are in order, for what is typed in another order is the same text. */
static void change_marks(struct writer *writer, size_t first) {
  for (size_t at = first, size; at < writer->size; at += size) {
    uint32_t mark, other;
    size = read_at(writer, at, &mark);
    uint32_t changed = mapped(writer->form, mark);
    if (changed == NOTHING) {
      replace(writer, at, size, NOTHING);
      size = 0;
      continue;
    }
    size_t to = at;
    for (; to > first; to = before(writer, to)) {
      read_at(writer, before(writer, to), &other);
      if ((g2p_record_of(other) & G2P_COMBINING) <= (g2p_record_of(changed) & G2P_COMBINING)) {
        break;
      }
    }
    if (to < at || changed != mark) {
      size_t left = writer->size - at - size;
      replace(writer, at, size, NOTHING);
      replace(writer, to, 0, changed);
      size = writer->size - left - at;
    }
  }
}

/* The last letter has all its marks, and they are in order: composes them. */
static void finish(struct writer *writer) {
  if (writer->size == writer->letter) {
    return;
  }
  uint32_t code;
  size_t base = writer->letter;
  if (writer->form->nfc) {
    if (writer->based && writer->form->lower > G2P_LOWER) {
      tailor(writer);
    }
    if (writer->form->pairs_count) {
      change_marks(writer, base + (writer->based ? read_at(writer, base, &code) : 0));
    }
  }
  if (writer->form->nfc && writer->based) {
    uint32_t mark, last = 0;
    size_t size = read_at(writer, base, &code), at = base + size;
    while (at < writer->size) {
      size_t more = read_at(writer, at, &mark);
      uint32_t class = g2p_record_of(mark) & G2P_COMBINING, both = class > last ? g2p_compose(code, mark) : 0;
      if (both) {
        replace(writer, at, more, NOTHING);
        at -= size;
        replace(writer, base, size, both);
        size = read_at(writer, base, &code);
        at += size;
      } else {
        last = class;
        at += more;
      }
    }
  }
  if (!(writer->form->strip && read_at(writer, base, &code) == writer->size - base && g2p_is_white(code))) {
    writer->kept = writer->size;
  }
  if (base <= writer->offset) {
    writer->origin = writer->begun;
  }
}

/* Adds a character of the result, if only nfc is left to do. */
static void append(struct writer *writer, uint32_t code) {
  const struct g2p_form *form = writer->form;
  uint32_t record = form->nfc ? g2p_record_of(code) : 0, class = record & G2P_COMBINING;
  bool white = form->strip && g2p_is_white(code);
  if (white && writer->size == 0) {
    return;
  }
  if (!white && writer->spilt) {
    writer->full = true;
    return;
  }
  size_t at = writer->size;
  if (class) {
    for (uint32_t other; at > writer->letter; at = before(writer, at)) {
      read_at(writer, before(writer, at), &other);
      if ((g2p_record_of(other) & G2P_COMBINING) <= class) {
        break;
      }
    }
    if (!writer->size) {
      writer->begun = writer->at;
    }
  } else {
    finish(writer);
    if (writer->full) {
      return;
    }
    at = writer->size;
    uint32_t first;
    if (record & G2P_SECOND && writer->based && read_at(writer, writer->letter, &first) == at - writer->letter) {
      uint32_t both = g2p_compose(first, code);
      if (both) {
        replace(writer, writer->letter, at - writer->letter, both);
        return;
      }
    }
    writer->letter = at;
    writer->based = true;
    writer->begun = writer->at;
  }
  replace(writer, at, 0, code);
  if (white && writer->full) {
    writer->full = false;
    writer->spilt = true;
  }
}

/* Whether a joiner at the end of what was written is part of how the word is spelt. */
static bool joined_now(const struct writer *writer) {
  for (size_t at = writer->size; at;) {
    uint32_t code;
    at = before(writer, at);
    read_at(writer, at, &code);
    enum g2p_kind kind = g2p_kind_of(code);
    if (kind != G2P_INHERITED_MARK) {
      return kind == G2P_JOINING_LETTER || kind == G2P_JOINING_MARK || code == ZWJ || code == ZWNJ;
    }
  }
  return false;
}

static bool joined(struct writer *writer) {
  if (writer->asked != writer->size) { /* nothing is joined while nothing was written */
    writer->asked = writer->size;
    writer->joined = joined_now(writer);
  }
  return writer->joined;
}

/* Adds what a character that does not decompose becomes. */
static void add(struct writer *writer, uint32_t code) {
  const struct g2p_form *form = writer->form;
  uint32_t record = g2p_record_of(code), dot = NOTHING;
  if (form->visible && (record & G2P_INVISIBLE || ((code == ZWJ || code == ZWNJ) && !joined(writer)))) {
    return;
  }
  if (form->narrow && record & G2P_WIDE) {
    code = g2p_narrow(code);
    record = g2p_record_of(code);
  }
  if (form->lower && record & G2P_LOWERS) {
    bool turkic = form->lower == G2P_LOWER_TURKIC, lithuanian = form->lower == G2P_LOWER_LITHUANIAN;
    if (form->nfc && ((code == 'I' && (turkic || lithuanian)) || (code == 'J' && lithuanian))) {
      append(writer, code); /* finish() knows its marks */
      return;
    }
    dot = code == DOTTED_I && !turkic ? mapped(form, DOT_ABOVE) : NOTHING;
    code = code == 'I' && turkic ? DOTLESS_I : g2p_lower(code);
  }
  uint32_t changed = form->pairs_count ? mapped(form, code) : code;
  if (changed != NOTHING) {
    append(writer, form->nfc && record & G2P_COMBINING ? code : changed);
  }
  if (dot != NOTHING) {
    append(writer, dot);
  }
}

/* Whether a capital sigma ends a word: a cased letter is before it (the caller knows) and none after it, where what is
 * ignorable does not count. */
static bool final(const char *at, const char *end) {
  uint32_t code;
  for (size_t size; at < end; at += size ? size : 1) {
    size = g2p_utf8(at, end, &code);
    uint32_t record = size ? g2p_record_of(code) : 0;
    if (!(record & G2P_IGNORABLE)) {
      return !(record & G2P_CASED);
    }
  }
  return true;
}

static void write_word(struct writer *writer, g2p_text word) {
  const struct g2p_form *form = writer->form;
  const char *start = word.data, *at = start, *end = word.size ? at + word.size : at;
  bool cased = false; /* the last character that is not ignorable is a cased letter */
  while (at < end && !writer->full) {
    uint32_t code, parts[G2P_PARTS];
    size_t size = g2p_utf8(at, end, &code), count = 1;
    writer->at = (size_t)(at - start);
    at += size ? size : 1;
    if (!size) {
      continue;
    }
    uint32_t record = g2p_record_of(code);
    parts[0] = code;
    if (form->nfc && record & G2P_DECOMPOSES) {
      count = g2p_decompose(code, parts);
    } else if (form->lower && code == CAPITAL_SIGMA) {
      parts[0] = cased && final(at, end) ? FINAL_SIGMA : SIGMA;
    }
    for (size_t i = 0; i < count; i++) {
      add(writer, parts[i]);
    }
    cased = record & G2P_IGNORABLE ? cased : (record & G2P_CASED) != 0;
  }
  finish(writer);
}

/* Whether a form leaves a word as it is, found without writing; false may be wrong. */
static bool settled(const struct g2p_form *form, g2p_text word) {
  const char *at = word.data, *end = word.size ? at + word.size : at;
  uint32_t wrong = (form->nfc ? G2P_NOT_NFC | G2P_SECOND : 0) | (form->visible ? G2P_INVISIBLE : 0) |
                   (form->narrow ? G2P_WIDE : 0) | (form->lower ? G2P_LOWERS : 0);
  uint32_t last = 0, code = 'a';
  while (at < end) {
    if (*at >= 'a' && *at <= 'z') { /* of no pair: they look like themselves */
      at++;
      last = 0;
      code = 'a';
      continue;
    }
    size_t size = g2p_utf8(at, end, &code);
    if (!size || (form->strip && at == word.data && g2p_is_white(code))) {
      return false;
    }
    uint32_t record = g2p_record_of(code), class = record & G2P_COMBINING;
    if (record & wrong || (form->nfc && class && class < last) || (form->visible && (code == ZWJ || code == ZWNJ))) {
      return false;
    }
    if (form->pairs_count) {
      uint32_t parts[G2P_PARTS] = {code};
      size_t count = form->nfc && record & G2P_DECOMPOSES ? g2p_decompose(code, parts) : 1;
      for (size_t i = 0; i < count; i++) {
        if (mapped(form, parts[i]) != parts[i]) {
          return false;
        }
      }
    }
    last = class;
    at += size;
  }
  return !(form->strip && g2p_is_white(code));
}

size_t g2p_form_word(const struct g2p_form *form, g2p_text word, char *out, size_t capacity) {
  if (word.size <= capacity && settled(form, word)) {
    if (word.size) {
      memcpy(out, word.data, word.size);
    }
    return word.size;
  }
  struct writer writer = {.form = form, .out = out, .room = capacity};
  write_word(&writer, word);
  return writer.full ? SIZE_MAX : form->strip ? writer.kept : writer.size;
}

size_t g2p_form_origin(const struct g2p_form *form, g2p_text word, char *out, size_t capacity, size_t offset) {
  struct writer writer = {.form = form, .out = out, .room = capacity, .offset = offset};
  write_word(&writer, word);
  return writer.origin;
}

size_t g2p_foreign(const struct g2p_alphabet *alphabet, g2p_text text, uint32_t *code) {
  size_t at = 0;
  while (alphabet->ranges && at < text.size) {
    size_t size = g2p_utf8(text.data + at, text.data + text.size, code), low = 0, count = alphabet->ranges_count;
    while (count > 1) { /* the last range that does not begin behind it */
      size_t half = count / 2;
      bool behind = alphabet->ranges[low + half].first > *code;
      low += behind ? 0 : half;
      count = behind ? half : count - half;
    }
    if (!size || !count || *code < alphabet->ranges[low].first || *code > alphabet->ranges[low].last) {
      return at;
    }
    at += size;
  }
  return text.size;
}

void g2p_name_code(uint32_t code, char name[9]) {
  int digits = code > 0xfffff ? 6 : code > 0xffff ? 5 : 4;
  name[0] = 'U';
  name[1] = '+';
  for (int i = 0; i < digits; i++) {
    name[2 + i] = "0123456789ABCDEF"[code >> (4 * (digits - 1 - i)) & 15];
  }
  name[2 + digits] = 0;
}
