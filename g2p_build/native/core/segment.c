/* Unicode's word boundaries. The rules' numbers are those of Unicode Standard Annex 29, 4.1.1. */
#include "segment.h"

#include "unicode.h"

struct place {
  const char *at, *end; /* the character's first byte, and the text's end */
  size_t size;          /* of the character; 0 at the text's end */
  enum g2p_break kind;
  bool picture; /* Extended_Pictographic */
};

static struct place at_byte(const char *at, const char *end, bool whole) {
  struct place place = {at, end, 0, G2P_BREAK_OTHER, false};
  uint32_t code;
  place.size = at < end ? g2p_utf8(at, end, &code) : 0;
  if (!place.size) {
    return place;
  }
  place.kind = g2p_break_of(code);
  place.picture = place.kind == G2P_BREAK_PICTURE || code == 0x2139 || code == 0x24c2;
  if (place.kind == G2P_BREAK_OTHER && whole) {
    enum g2p_kind kind = g2p_kind_of(code);
    if (kind == G2P_LETTER || kind == G2P_JOINING_LETTER) {
      place.kind = G2P_BREAK_ALETTER;
    }
  }
  return place;
}

static struct place after(struct place place, bool whole) { return at_byte(place.at + place.size, place.end, whole); }

static bool goes_with_what_is_before(enum g2p_break kind) {
  return kind == G2P_BREAK_EXTEND || kind == G2P_BREAK_FORMAT || kind == G2P_BREAK_ZWJ;
}

/* The next character that counts: WB4. */
static struct place next(struct place place, bool whole) {
  do {
    place = after(place, whole);
  } while (place.size && goes_with_what_is_before(place.kind));
  return place;
}

static bool ends_line(enum g2p_break kind) {
  return kind == G2P_BREAK_CR || kind == G2P_BREAK_LF || kind == G2P_BREAK_NEWLINE;
}

static bool is_letter(enum g2p_break kind) { return kind == G2P_BREAK_ALETTER || kind == G2P_BREAK_HEBREW; }

static bool is_between(enum g2p_break kind) { return kind == G2P_BREAK_MIDNUMLET || kind == G2P_BREAK_SINGLE_QUOTE; }

/* Whether two characters that count belong together; `before` is what counts before the first, `behind` what does behind
 * the second. */
static bool together(enum g2p_break before, enum g2p_break left, enum g2p_break right, enum g2p_break behind) {
  bool word = is_letter(left) || left == G2P_BREAK_NUMERIC || left == G2P_BREAK_KATAKANA;
  if (is_letter(left)) {
    if (is_letter(right) || right == G2P_BREAK_NUMERIC) { /* WB5, WB9 */
      return true;
    }
    if ((right == G2P_BREAK_MIDLETTER || is_between(right)) && is_letter(behind)) { /* WB6 */
      return true;
    }
    if (left == G2P_BREAK_HEBREW && (right == G2P_BREAK_SINGLE_QUOTE ||
                                     (right == G2P_BREAK_DOUBLE_QUOTE && behind == G2P_BREAK_HEBREW))) { /* WB7a, b */
      return true;
    }
  }
  if (is_letter(before) && (left == G2P_BREAK_MIDLETTER || is_between(left)) && is_letter(right)) { /* WB7 */
    return true;
  }
  if (before == G2P_BREAK_HEBREW && left == G2P_BREAK_DOUBLE_QUOTE && right == G2P_BREAK_HEBREW) { /* WB7c */
    return true;
  }
  if (left == G2P_BREAK_NUMERIC) {
    if (right == G2P_BREAK_NUMERIC || is_letter(right)) { /* WB8, WB10 */
      return true;
    }
    if ((right == G2P_BREAK_MIDNUM || is_between(right)) && behind == G2P_BREAK_NUMERIC) { /* WB12 */
      return true;
    }
  }
  if (before == G2P_BREAK_NUMERIC && (left == G2P_BREAK_MIDNUM || is_between(left)) && right == G2P_BREAK_NUMERIC) {
    return true; /* WB11 */
  }
  if (left == G2P_BREAK_KATAKANA && right == G2P_BREAK_KATAKANA) { /* WB13 */
    return true;
  }
  bool joins = left == G2P_BREAK_EXTENDNUMLET;
  if (right == G2P_BREAK_EXTENDNUMLET) { /* WB13a */
    return word || joins;
  }
  return joins && (is_letter(right) || right == G2P_BREAK_NUMERIC || right == G2P_BREAK_KATAKANA); /* WB13b */
}

size_t g2p_segment_end(g2p_text text, size_t from, bool whole) {
  struct place left = at_byte(text.data + from, text.data + text.size, whole); /* the last that counts */
  struct place here = left;                                                    /* the last one */
  enum g2p_break before = G2P_BREAK_OTHER;
  uint32_t flags = left.kind == G2P_BREAK_REGIONAL; /* of the letters of flags that are here, how many */
  while (here.size) {
    struct place right = after(here, whole);
    if (!right.size) {
      return text.size;
    }
    if (here.kind == G2P_BREAK_CR && right.kind == G2P_BREAK_LF) { /* WB3 */
      here = left = right;
      continue;
    }
    if (ends_line(here.kind) || ends_line(right.kind)) { /* WB3a, WB3b */
      break;
    }
    bool picture = here.kind == G2P_BREAK_ZWJ && right.picture;                  /* WB3c */
    bool spaces = here.kind == G2P_BREAK_SPACE && right.kind == G2P_BREAK_SPACE; /* WB3d */
    if (!picture && !spaces && goes_with_what_is_before(right.kind)) {           /* WB4 */
      here = right;
      continue;
    }
    bool flag = left.kind == G2P_BREAK_REGIONAL && right.kind == G2P_BREAK_REGIONAL && flags % 2; /* WB15, WB16 */
    if (!picture && !spaces && !flag && !together(before, left.kind, right.kind, next(right, whole).kind)) {
      break;
    }
    before = left.kind;
    here = left = right;
    flags = right.kind == G2P_BREAK_REGIONAL ? flags + 1 : 0;
  }
  return (size_t)(here.at + here.size - text.data);
}
