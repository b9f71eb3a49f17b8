#include "lexicon.h"

#include <string.h>

#include "text.h"

enum {
  HEADER = 16,
  LANGUAGE = 48,
  CODE = 32, /* bytes of a language's code in a table */
  SYMBOL = 8,
  SYMBOLS = 255,
  LITERAL = 255, /* the byte behind it stands for itself */
  BLOCK = 16,    /* words */
  ROOM = G2P_MOST_KEY + G2P_FORM_SLACK
};

static const unsigned char MAGIC[8] = {'g', '2', 'p', 'l', 'e', 'x', 0, 1};

/* Words that a caller added, by a hash of the word. Entries follow the slots: the sizes of the word and of its
 * pronunciations, 2 bytes each, then both texts. */
struct g2p_list {
  size_t bytes; /* of this memory */
  char lang[CODE];
  size_t slots_count; /* a power of two */
  const unsigned char *entries;
  uint32_t slots[]; /* where an entry begins, plus 1; 0: none */
};

/* --- tables ------------------------------------------------------------------------------------------------------- */

static uint32_t u32(const unsigned char *at) {
  return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static int compare(const char *a, size_t a_size, const char *b, size_t b_size) {
  int order = memcmp(a, b, a_size < b_size ? a_size : b_size);
  return order ? order : (a_size > b_size) - (a_size < b_size);
}

/* The text that coded bytes stand for; SIZE_MAX where it is more than `capacity`, or the bytes are damaged. */
static size_t expand(const unsigned char *symbols, const unsigned char *coded, size_t size, char *text,
                     size_t capacity) {
  size_t used = 0;
  for (size_t i = 0; i < size; i++) {
    const unsigned char *piece = coded + i + 1;
    size_t length = 1;
    if (coded[i] != LITERAL) {
      piece = symbols + (size_t)coded[i] * SYMBOL + 1;
      length = piece[-1];
    } else if (++i == size) {
      return SIZE_MAX;
    }
    if (length >= SYMBOL || length > capacity - used) return SIZE_MAX;
    memcpy(text + used, piece, length);
    used += length;
  }
  return used;
}

/* One word of a block, read into `word`, which holds the one before it. */
struct cursor {
  const unsigned char *symbols, *at, *end;
  char word[G2P_MOST_KEY];
  size_t size;
  const unsigned char *coded; /* its pronunciations */
  size_t coded_size;
};

/* False at the end of the block, and where it is damaged. */
static bool next_word(struct cursor *cursor) {
  const unsigned char *at = cursor->at, *end = cursor->end;
  if (end - at < 2 || at[0] > cursor->size) return false;
  size_t shared = at[0], coded = at[1];
  at += 2;
  if ((size_t)(end - at) < coded + 1) return false;
  size_t rest = expand(cursor->symbols, at, coded, cursor->word + shared, sizeof cursor->word - shared);
  if (rest == SIZE_MAX) return false;
  cursor->size = shared + rest;
  at += coded;
  size_t size = *at++;
  if (size & 0x80) {
    if (at == end) return false;
    size = (size & 0x7f) | (size_t)*at++ << 7;
  }
  if ((size_t)(end - at) < size) return false;
  cursor->coded = at;
  cursor->coded_size = size;
  cursor->at = at + size;
  return true;
}

/* The place of a block that the header gives; an empty one where it is damaged. */
static void begin_block(const struct g2p_lexicon *lexicon, const unsigned char *language, uint32_t block,
                        struct cursor *cursor) {
  const unsigned char *offsets = lexicon->table + u32(language + CODE + 4) + (size_t)block * 4;
  size_t begin = u32(offsets), end = u32(offsets + 4);
  if (begin > end || end > lexicon->size) begin = end = 0;
  cursor->at = lexicon->table + begin;
  cursor->end = lexicon->table + end;
  cursor->size = 0;
}

static bool find_in_table(const struct g2p_lexicon *lexicon, const char *lang, g2p_text key, struct g2p_known *known) {
  const unsigned char *language = NULL;
  size_t code = strlen(lang);
  for (uint32_t i = 0; i < u32(lexicon->table + 12) && !language; i++) {
    const unsigned char *one = lexicon->table + HEADER + (size_t)i * LANGUAGE;
    if (code < CODE && memcmp(one, lang, code + 1) == 0) language = one;
  }
  if (!language) return false;
  struct cursor cursor;
  cursor.symbols = lexicon->table + u32(language + CODE);
  /* The last block whose first word is not behind the key. */
  uint32_t low = 0, high = u32(language + CODE + 8);
  while (high - low > 1) {
    uint32_t middle = low + (high - low) / 2;
    begin_block(lexicon, language, middle, &cursor);
    if (!next_word(&cursor)) return false;
    if (compare(cursor.word, cursor.size, key.data, key.size) <= 0)
      low = middle;
    else
      high = middle;
  }
  if (low == high) return false;
  begin_block(lexicon, language, low, &cursor);
  for (int i = 0; i < BLOCK && next_word(&cursor); i++) {
    int order = compare(cursor.word, cursor.size, key.data, key.size);
    if (order > 0) return false;
    if (order < 0) continue;
    known->size = expand(cursor.symbols, cursor.coded, cursor.coded_size, known->text, G2P_MOST_PRONUNCIATIONS);
    return known->size && known->size != SIZE_MAX;
  }
  return false;
}

/* Whether everything that the header points to lies in the table. Blocks are looked at when they are read. */
static bool is_table(const unsigned char *table, size_t size) {
  if (size < HEADER || u32(table + 8) != size) return false;
  uint32_t languages = u32(table + 12);
  if (languages > (size - HEADER) / LANGUAGE) return false;
  for (uint32_t i = 0; i < languages; i++) {
    const unsigned char *language = table + HEADER + (size_t)i * LANGUAGE;
    uint32_t symbols = u32(language + CODE), offsets = u32(language + CODE + 4), blocks = u32(language + CODE + 8);
    if (language[CODE - 1] || symbols > size || size - symbols < SYMBOLS * SYMBOL) return false;
    if (offsets > size || (size - offsets) / 4 <= blocks) return false;
  }
  return true;
}

/* --- lists -------------------------------------------------------------------------------------------------------- */

static uint32_t hash_of(const char *data, size_t size) { /* FNV-1a */
  uint32_t hash = 2166136261u;
  for (size_t i = 0; i < size; i++) {
    hash = (hash ^ (unsigned char)data[i]) * 16777619u;
  }
  return hash;
}

/* The slot of a word, or the one that it would have. */
static size_t slot_of(const struct g2p_list *list, g2p_text key) {
  size_t slot = hash_of(key.data, key.size) & (list->slots_count - 1);
  for (; list->slots[slot]; slot = (slot + 1) & (list->slots_count - 1)) {
    const unsigned char *entry = list->entries + list->slots[slot] - 1;
    size_t size = (size_t)entry[0] | (size_t)entry[1] << 8;
    if (size == key.size && memcmp(entry + 4, key.data, size) == 0) break;
  }
  return slot;
}

static bool find_in_list(const struct g2p_list *list, const char *lang, g2p_text key, struct g2p_known *known) {
  if (strcmp(list->lang, lang) != 0) return false;
  uint32_t place = list->slots[slot_of(list, key)];
  if (!place) return false;
  const unsigned char *entry = list->entries + place - 1;
  size_t word = (size_t)entry[0] | (size_t)entry[1] << 8;
  known->size = (size_t)entry[2] | (size_t)entry[3] << 8;
  memcpy(known->text, entry + 4 + word, known->size);
  return true;
}

/* The next line that is not blank; false behind the last. */
static bool next_line(g2p_text *rest, g2p_text *line, size_t *number) {
  while (rest->size) {
    const char *end = memchr(rest->data, '\n', rest->size);
    size_t size = end ? (size_t)(end - rest->data) : rest->size, taken = end ? size + 1 : size;
    *line = (g2p_text){rest->data, size};
    *rest = (g2p_text){rest->data + taken, rest->size - taken};
    ++*number;
    if (line->size && line->data[line->size - 1] == '\r') line->size--;
    if (line->size && !g2p_is_blank(*line)) return true;
  }
  return false;
}

/* A word in its language's form, but in the case that it has. False where it is empty or too long. */
static bool key_of(const struct g2p_writing *writing, g2p_text word, char room[ROOM], g2p_text *key) {
  *key = word;
  if (writing) {
    struct g2p_form kept = writing->form;
    kept.lower = G2P_KEEP_CASE;
    *key = (g2p_text){room, g2p_form_word(&kept, word, room, ROOM)};
  }
  return key->size && key->size <= G2P_MOST_KEY;
}

/* Writes pronunciations without the spaces around each; how many bytes, or 0 where one of them is empty. */
static size_t trim(g2p_text said, char *out) {
  size_t used = 0, begin = 0, kept = 0; /* the part's first byte, and what stays where it ends here */
  for (size_t i = 0; i <= said.size; i++) {
    char c = i < said.size ? said.data[i] : ',';
    if (c == ',') {
      if (kept == begin) return 0;
      used = kept;
      if (i < said.size) out[used++] = ',';
      begin = kept = used;
    } else if (c != ' ' || used > begin) {
      out[used++] = c;
      if (c != ' ') kept = used;
    }
  }
  return used;
}

/* What a line says. */
struct line {
  g2p_text key, said;
  char room[ROOM], trimmed[G2P_MOST_PRONUNCIATIONS];
};

/* The key and the pronunciations of a line, which are written to memory of the caller's. */
static g2p_status read_line(const struct g2p_writing *writing, const char *name, size_t number, g2p_text line,
                            struct line *read, g2p_error *error) {
  const char *tab = memchr(line.data, '\t', line.size);
  if (!tab)
    return g2p_fail(error, G2P_INVALID_LEXICON,
                    "%s: line %z: %t has no tab: a word, a tab and its pronunciations are wanted", name, number, &line);
  g2p_text word = {line.data, (size_t)(tab - line.data)}, said = {tab + 1, line.size - word.size - 1};
  if (!g2p_is_word(word) || !key_of(writing, word, read->room, &read->key))
    return g2p_fail(error, G2P_INVALID_LEXICON,
                    "%s: line %z: %t is no word: give 1 to %d bytes of UTF-8 without control characters", name, number,
                    &word, G2P_MOST_KEY);
  bool whole = g2p_is_word(said) && said.size <= G2P_MOST_PRONUNCIATIONS;
  read->said = (g2p_text){read->trimmed, whole ? trim(said, read->trimmed) : 0};
  if (!read->said.size)
    return g2p_fail(error, G2P_INVALID_LEXICON,
                    "%s: line %z: %t are no pronunciations: give up to %d bytes, with single commas between them", name,
                    number, &said, G2P_MOST_PRONUNCIATIONS);
  return G2P_OK;
}

static void add_entry(struct g2p_list *list, unsigned char *entry, g2p_text key, g2p_text said) {
  size_t slot = slot_of(list, key);
  if (list->slots[slot]) return; /* the first line of a word counts */
  entry[0] = (unsigned char)key.size;
  entry[1] = (unsigned char)(key.size >> 8);
  entry[2] = (unsigned char)said.size;
  entry[3] = (unsigned char)(said.size >> 8);
  memcpy(entry + 4, key.data, key.size);
  memcpy(entry + 4 + key.size, said.data, said.size);
  list->slots[slot] = (uint32_t)(entry - list->entries) + 1;
}

/* Reads a list twice: how much memory it takes, and then into that. */
static g2p_status read_list(const g2p_allocator *allocator, const struct g2p_traits *traits, const char *name,
                            g2p_text data, const char *lang, struct g2p_list **made, g2p_error *error) {
  static const char bom[] = "\xef\xbb\xbf";
  const struct g2p_writing *writing = g2p_writing_of(traits, lang);
  if (data.size >= 3 && memcmp(data.data, bom, 3) == 0) data = (g2p_text){data.data + 3, data.size - 3};
  struct line read;
  g2p_text rest = data, line;
  size_t number = 0, words = 0, bytes = 0;
  while (next_line(&rest, &line, &number)) {
    g2p_status status = read_line(writing, name, number, line, &read, error);
    if (status != G2P_OK) return status;
    words++;
    bytes += 4 + read.key.size + read.said.size;
  }
  if (bytes > UINT32_MAX / 4)
    return g2p_fail(error, G2P_INVALID_LEXICON, "%s: %z words are more than a list takes: make a table of them", name,
                    words);
  size_t slots = 16;
  while (slots < 2 * words) slots *= 2;
  size_t size = sizeof(struct g2p_list) + slots * sizeof(uint32_t) + bytes;
  struct g2p_list *list = g2p_allocate(allocator, size);
  if (!list) return g2p_fail(error, G2P_NO_MEMORY, "no memory for a lexicon of %z words", words);
  memset(list, 0, sizeof *list + slots * sizeof(uint32_t));
  list->bytes = size;
  list->slots_count = slots;
  memcpy(list->lang, lang, strlen(lang));
  unsigned char *entry = (unsigned char *)(list->slots + slots);
  list->entries = entry;
  rest = data;
  for (number = 0; next_line(&rest, &line, &number);) {
    read_line(writing, name, number, line, &read, NULL); /* was good */
    add_entry(list, entry, read.key, read.said);
    entry += 4 + read.key.size + read.said.size;
  }
  *made = list;
  return G2P_OK;
}

/* --- both --------------------------------------------------------------------------------------------------------- */

g2p_status g2p_lexicon_begin(const g2p_allocator *allocator, const struct g2p_traits *traits, const char *name,
                             g2p_text data, const char *lang, struct g2p_lexicon *lexicon, g2p_error *error) {
  *lexicon = (struct g2p_lexicon){.source = G2P_FROM_USER};
  if (data.size >= sizeof MAGIC && memcmp(data.data, MAGIC, 7) == 0) {
    if (lang)
      return g2p_fail(error, G2P_INVALID_ARGUMENT, "%s: a table has its own languages: give NULL in place of '%s'",
                      name, lang);
    if ((unsigned char)data.data[7] > MAGIC[7])
      return g2p_fail(error, G2P_INVALID_LEXICON,
                      "%s: a table of version %d, and this library reads version %d: take a newer library", name,
                      (unsigned char)data.data[7], MAGIC[7]);
    if (!is_table((const unsigned char *)data.data, data.size))
      return g2p_fail(error, G2P_INVALID_LEXICON, "%s: the table is damaged: build or download it again", name);
    lexicon->table = (const unsigned char *)data.data;
    lexicon->size = data.size;
    lexicon->source = G2P_FROM_LEXICON;
    return G2P_OK;
  }
  if (!lang) return g2p_fail(error, G2P_INVALID_ARGUMENT, "%s: a list of words needs a language: name it", name);
  lang = g2p_language(traits, lang);
  g2p_status status = g2p_check_language(traits, lang, error);
  if (status != G2P_OK) return status;
  if (strlen(lang) >= CODE)
    return g2p_fail(error, G2P_UNKNOWN_LANGUAGE, "'%s' is too long for the language of a lexicon", lang);
  return read_list(allocator, traits, name, data, lang, &lexicon->list, error);
}

void g2p_lexicon_end(const g2p_allocator *allocator, struct g2p_lexicon *lexicon) {
  if (lexicon->list) g2p_release(allocator, lexicon->list, lexicon->list->bytes);
  g2p_unmap(&lexicon->mapping);
}

static bool find(const struct g2p_lexicon *lexicon, const char *lang, g2p_text key, struct g2p_known *known) {
  return lexicon->list ? find_in_list(lexicon->list, lang, key, known) : find_in_table(lexicon, lang, key, known);
}

/* The names of a word's letters, where all are capitals and have names. */
static bool spell(const struct g2p_writing *writing, g2p_text key, g2p_text folded, struct g2p_known *known) {
  size_t at = 0, count = 0, used = 0;
  for (size_t place = 0; place < folded.size; count++) {
    uint32_t typed, letter;
    size_t typed_size = at < key.size ? g2p_utf8(key.data + at, key.data + key.size, &typed) : 0;
    size_t size = g2p_utf8(folded.data + place, folded.data + folded.size, &letter);
    if (!typed_size || !size || typed == letter || count == 5) return false;
    const struct g2p_letter *named = writing->letters, *end = named + writing->letters_count;
    while (named < end && named->letter != letter) named++;
    if (named == end) return false;
    size_t more = strlen(named->name);
    if (more > sizeof known->text - used) return false;
    memcpy(known->text + used, named->name, more);
    used += more;
    at += typed_size;
    place += size;
  }
  known->size = used;
  return at == key.size && count >= 2;
}

bool g2p_find_word(const struct g2p_lexicon *lexicons, size_t count, const struct g2p_traits *traits, g2p_text word,
                   const char *lang, struct g2p_known *known) {
  const struct g2p_writing *writing = g2p_writing_of(traits, lang);
  bool spells = writing && writing->letters_count;
  char room[ROOM], other[ROOM];
  g2p_text key, folded;
  if ((!count && !spells) || !key_of(writing, word, room, &key)) return false;
  folded = key;
  if (writing && writing->form.lower != G2P_KEEP_CASE) {
    folded = (g2p_text){other, g2p_form_word(&writing->form, word, other, sizeof other)};
    if (folded.size > G2P_MOST_KEY) folded = key;
  }
  bool capitals = compare(key.data, key.size, folded.data, folded.size) != 0;
  for (size_t i = count; i-- > 0;) {
    if (!find(&lexicons[i], lang, key, known) && !(capitals && find(&lexicons[i], lang, folded, known))) continue;
    known->source = lexicons[i].source;
    const char *comma = memchr(known->text, ',', known->size);
    known->first = comma ? (size_t)(comma - known->text) : known->size;
    return true;
  }
  if (!spells || !capitals || !spell(writing, key, folded, known)) return false;
  known->source = G2P_FROM_LETTERS;
  known->first = known->size;
  return true;
}
