/* A text's words, numbers and what is between them. */
#include <string.h>

#include "core.h"
#include "g2p.h"
#include "segment.h"
#include "unicode.h"

/* What a segment is; false: some of it is not UTF-8, and `*at` is where. */
static bool part_of(g2p_text text, size_t *at, size_t end, g2p_part *part) {
  bool letter = false, number = false, seen = false;
  while (*at < end) {
    uint32_t code;
    size_t size = g2p_utf8(text.data + *at, text.data + text.size, &code);
    if (!size) {
      return false;
    }
    enum g2p_kind kind = g2p_kind_of(code);
    letter = letter || kind == G2P_LETTER || kind == G2P_JOINING_LETTER;
    number = number || kind == G2P_DIGIT || kind == G2P_NUMBER;
    seen = seen || (kind != G2P_SPACE && kind != G2P_FORMAT);
    *at += size;
  }
  *part = letter ? G2P_PART_WORD : number ? G2P_PART_NUMBER : seen ? G2P_PART_OTHER : G2P_PART_SPACE;
  return true;
}

g2p_status g2p_next_part(const char *text, size_t size, size_t start, size_t *end, g2p_part *part, g2p_error *error) {
  g2p_no_error(error);
  if (!text || !end || !part) {
    return g2p_fail(error, G2P_INVALID_ARGUMENT, "g2p_next_part was given a null pointer");
  }
  if (start >= size) {
    return g2p_fail(error, G2P_INVALID_ARGUMENT, "no part begins at byte %z of a text of %z", start, size);
  }
  g2p_text whole = {text, size};
  size_t last = g2p_segment_end(whole, start, true), at = start;
  if (last == start || !part_of(whole, &at, last, part)) { /* no segment begins with what is no character */
    return g2p_fail(error, G2P_INVALID_WORD, "the text is not valid UTF-8 at byte %z: give it in that encoding", at);
  }
  bool stop = last < size && text[last] == '.' && (last + 1 == size || text[last + 1] != '.');
  if (*part == G2P_PART_WORD && stop && memchr(text + start, '.', last - start)) {
    last++;
  }
  *end = last;
  return G2P_OK;
}
