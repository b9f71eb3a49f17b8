/* Symbols of phonemes, and where a long utterance is split. */
#include "model.h"

enum {
  SENTENCE = 30, /* symbols that a piece has at least before it ends behind a full stop */
  CLAUSE = 150,  /* or behind a comma */
  PHRASE = 300,  /* or at a space */
  EARLY = 8      /* the first piece, behind either of the two, where an early sound is wanted */
};

static const struct tts_symbol *find(const struct tts_traits *traits, uint32_t code) {
  size_t low = 0, high = traits->symbols_count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (traits->symbols[middle].code < code)
      low = middle + 1;
    else
      high = middle;
  }
  return low < traits->symbols_count && traits->symbols[low].code == code ? &traits->symbols[low] : NULL;
}

g2p_status tts_read(const struct tts_traits *traits, g2p_text phonemes, bool skip, struct tts_spoken *spoken,
                    size_t *count, g2p_error *error) {
  const char *at = phonemes.data, *end = at + phonemes.size;
  for (*count = 0; at < end;) {
    uint32_t code;
    size_t size = g2p_utf8(at, end, &code), start = (size_t)(at - phonemes.data);
    const struct tts_symbol *symbol = size ? find(traits, code) : NULL;
    if (symbol) {
      spoken[(*count)++] = (struct tts_spoken){symbol->id, code, start, size};
    } else if (!skip || !size) {
      g2p_text shown = {at, size ? size : 1};
      g2p_status status = size ? g2p_fail(error, G2P_UNKNOWN_PHONEME,
                                          "the model has no symbol for %t, at byte %z of the phonemes: give "
                                          "another, or TTS_SKIP_UNKNOWN",
                                          &shown, start)
                               : g2p_fail(error, G2P_INVALID_WORD, "the phonemes are not UTF-8 at byte %z", start);
      if (error) error->word = start;
      return status;
    }
    at += size ? size : 1;
  }
  return G2P_OK;
}

static bool ends_sentence(uint32_t code) { return code == '.' || code == '!' || code == '?' || code == 0x2026; }

static bool ends_clause(uint32_t code) {
  return ends_sentence(code) || code == ',' || code == ';' || code == ':' || code == 0x2014;
}

/* Whether a piece may end behind the symbol `at`: not between a full stop and the quotation mark behind it. */
static bool may_end(const struct tts_spoken *spoken, size_t count, size_t at) {
  return at + 1 == count || spoken[at + 1].code == ' ';
}

static size_t end_of(const struct tts_traits *traits, const struct tts_spoken *spoken, size_t count, bool early) {
  size_t most = (size_t)traits->max_symbols, clause = 0, space = 0;
  size_t bound = count < most ? count : most;
  for (size_t i = 0; i < bound; i++) {
    bool may = may_end(spoken, count, i);
    if (may && ends_sentence(spoken[i].code) && i + 1 >= (early ? EARLY : SENTENCE)) return i + 1;
    if (may && ends_clause(spoken[i].code)) {
      if (i + 1 >= (early ? EARLY : CLAUSE)) return i + 1;
      clause = i + 1;
    }
    if (spoken[i].code == ' ') {
      if (i + 1 >= PHRASE) return clause > CLAUSE / 2 ? clause : i + 1;
      space = i + 1;
    }
  }
  if (count <= most) return count;
  return clause ? clause : space ? space : most;
}

size_t tts_next_piece(const struct tts_traits *traits, const struct tts_spoken *spoken, size_t count, bool early) {
  size_t end = end_of(traits, spoken, count, early), rest = end;
  while (rest < count && spoken[rest].code == ' ') rest++;
  /* Spaces alone are no piece. */
  return rest == count && count <= (size_t)traits->max_symbols ? count : end;
}
