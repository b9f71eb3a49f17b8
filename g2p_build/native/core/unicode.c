/* Look-ups in the tables of unicode_tables.c. */
#include "unicode.h"

#include "unicode_tables.h"

/* Hangul syllables are computed (the Unicode standard, 3.12). */
enum { L_BASE = 0x1100, V_BASE = 0x1161, T_BASE = 0x11a7, S_BASE = 0xac00 };
enum { L_COUNT = 19, V_COUNT = 21, T_COUNT = 28, S_COUNT = L_COUNT * V_COUNT * T_COUNT };

uint16_t g2p_record_of(uint32_t code) {
  uint32_t branch = (uint32_t)g2p_record_roots[code >> 9] << 5 | (code >> 4 & 31);
  return g2p_records[g2p_record_leaves[(uint32_t)g2p_record_branches[branch] << 4 | (code & 15)]];
}

/* The last of `count` ascending numbers that is at most `wanted`; the first is. */
static uint32_t last_code(const uint32_t *numbers, uint32_t count, uint32_t wanted) {
  uint32_t low = 0;
  while (count > 1) {
    uint32_t half = count / 2;
    if (numbers[low + half] <= wanted) {
      low += half;
      count -= half;
    } else {
      count = half;
    }
  }
  return low;
}

static uint32_t last_place(const uint16_t *numbers, uint32_t count, uint32_t wanted) {
  uint32_t low = 0;
  while (count > 1) {
    uint32_t half = count / 2;
    if (numbers[low + half] <= wanted) {
      low += half;
      count -= half;
    } else {
      count = half;
    }
  }
  return low;
}

/* One step: the first part, and the second or 0. */
static uint32_t step(uint32_t code, uint32_t *second) {
  uint32_t run = last_code(g2p_decomposed_runs, g2p_decomposed_runs_count, code);
  uint32_t place = g2p_decomposed_places[run] + (code - g2p_decomposed_runs[run]);
  uint32_t first = g2p_decomposed_firsts[place], mark = g2p_decomposed_seconds[place];
  *second = mark < 2 ? 0 : g2p_seconds[mark - 2];
  return first | (mark == 0 ? 0 : mark == 1 ? 0x20000 : code & 0x1f0000);
}

size_t g2p_decompose(uint32_t code, uint32_t parts[G2P_PARTS]) {
  if (code >= S_BASE && code < S_BASE + S_COUNT) {
    uint32_t place = code - S_BASE, last = place % T_COUNT;
    parts[0] = L_BASE + place / (V_COUNT * T_COUNT);
    parts[1] = V_BASE + place / T_COUNT % V_COUNT;
    parts[2] = T_BASE + last;
    return last ? 3 : 2;
  }
  /* The second part of a step never decomposes; the last of all is found first. */
  uint32_t found[G2P_PARTS], second;
  size_t count = 0;
  while (g2p_record_of(code) & G2P_DECOMPOSES) {
    code = step(code, &second);
    if (second) {
      found[count++] = second;
    }
  }
  parts[0] = code;
  for (size_t i = 0; i < count; i++) {
    parts[1 + i] = found[count - 1 - i];
  }
  return count + 1;
}

/* The character of a decomposition. */
static uint32_t decomposed_at(uint32_t place) {
  uint32_t run = last_place(g2p_decomposed_places, g2p_decomposed_runs_count, place);
  return g2p_decomposed_runs[run] + (place - g2p_decomposed_places[run]);
}

uint32_t g2p_compose(uint32_t first, uint32_t second) {
  if (first - L_BASE < L_COUNT && second - V_BASE < V_COUNT) {
    return S_BASE + ((first - L_BASE) * V_COUNT + (second - V_BASE)) * T_COUNT;
  }
  if (first - S_BASE < S_COUNT && (first - S_BASE) % T_COUNT == 0 && second - T_BASE - 1 < T_COUNT - 1) {
    return first + (second - T_BASE);
  }
  if (first >> 16 != second >> 16) {
    return 0;
  }
  uint32_t count = g2p_seconds_count, which = 0;
  while (which < count && g2p_seconds[which] != second) {
    which++;
  }
  if (which == count) {
    return 0;
  }
  uint32_t low = g2p_composition_starts[which], high = g2p_composition_starts[which + 1];
  while (low < high) {
    uint32_t middle = (low + high) / 2, place = g2p_compositions[middle];
    uint32_t there = g2p_decomposed_firsts[place];
    if (there == (first & 0xffff)) {
      return decomposed_at(place);
    }
    if (there < (first & 0xffff)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return 0;
}

uint32_t g2p_lower(uint32_t code) {
  enum { FIRST = 0x1fffff, BY_TWO = 0x200000 };
  uint32_t low = 0, count = g2p_lower_runs_count;
  while (count > 1) {
    uint32_t half = count / 2;
    if ((g2p_lower_runs[low + half] & FIRST) <= code) {
      low += half;
      count -= half;
    } else {
      count = half;
    }
  }
  uint32_t run = g2p_lower_runs[low], by = run & BY_TWO ? 2 : 1;
  if (code < (run & FIRST) || (code - (run & FIRST)) % by || (code - (run & FIRST)) / by > run >> 22) {
    return code;
  }
  return (uint32_t)((int32_t)code + g2p_lower_deltas[low]);
}

uint32_t g2p_narrow(uint32_t code) {
  if (code >= 0xff01 && code <= 0xff5e) {
    return code - 0xff01 + '!';
  }
  if (code >= 0xff5f && code <= 0xffee && g2p_narrow_forms[code - 0xff5f]) {
    return g2p_narrow_forms[code - 0xff5f];
  }
  return code == 0x3000 ? ' ' : code;
}

/* The value of a code point in a table of runs, whose bytes have the length in their lower `bits`. */
static uint32_t value_in(const uint8_t *at, uint32_t bits, uint32_t code) {
  uint32_t field = (1u << bits) - 1, most = field - 3;
  for (;;) {
    uint32_t value = *at >> bits, more = *at & field;
    at++;
    if (more >= most) {
      uint32_t bytes = more - most + 1;
      for (more = 0; bytes; bytes--) {
        more = more << 8 | *at++;
      }
      more += most;
    }
    if (code <= more) {
      return value;
    }
    code -= more + 1;
  }
}

enum g2p_kind g2p_kind_of(uint32_t code) { return (enum g2p_kind)value_in(g2p_kinds, 4, code); }

enum g2p_break g2p_break_of(uint32_t code) { return (enum g2p_break)value_in(g2p_breaks, 3, code); }

const char *g2p_kind_name(enum g2p_kind kind) {
  switch (kind) {
    case G2P_LETTER:
    case G2P_JOINING_LETTER: return "a letter";
    case G2P_MARK:
    case G2P_JOINING_MARK:
    case G2P_INHERITED_MARK: return "a mark on a letter";
    case G2P_DIGIT: return "a digit";
    case G2P_NUMBER: return "a number";
    case G2P_PUNCTUATION: return "a punctuation mark";
    case G2P_SYMBOL: return "a symbol";
    case G2P_EMOJI: return "an emoji";
    case G2P_SPACE: return "a space";
    case G2P_FORMAT: return "an invisible character";
    default: return "no character of Unicode";
  }
}
