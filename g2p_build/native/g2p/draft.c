/* How a guess is made: a part of a pronunciation for each letter, the one that was most common where the letters around it
 * and the bytes said before it were the same. How much is looked at is a level; the last level that the table has an
 * answer for counts.
 *
 * When the model has said something else, what it said is aligned with the letters, at the least cost, and the guess goes
 * on from the letter where that ends. */
#include "draft.h"

#include <string.h>

enum {
  HEADER = 16,
  LANGUAGE = 80,
  CODE = 32,    /* bytes of a language's code in a table */
  SENTINEL = 1, /* of letters: one more says where the last one's parts end */
  LETTER = 8,
  OTHER = 4,
  LEVEL = 4,
  ENTRY = 4,
  MOST_PARTS = 1024,
  MOST_LEVELS = 16,
  WIDEST = 8, /* letters or bytes that a level looks at on one side */
  SURE = 15,  /* the highest confidence */
  BEFORE = 1, /* what stands before a word's first letter */
  BEHIND = 2, /* and behind its last */
  CERTAIN = 255,
  RESUMED = 160, /* the chance of the rest of a part that the model has begun */
  /* Costs are quarters of bits. */
  SKIPPED = 60, /* of a letter that nothing was said for */
  STRAY = 40,   /* of a byte that no letter has */
  FAR = 100,    /* above the best: not looked at */
  NEVER = 0xffff
};

static const unsigned char MAGIC[8] = {'g', '2', 'p', 'd', 'r', 'f', 0, 1};

static uint32_t u32(const unsigned char *at) {
  return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint32_t u16(const unsigned char *at) { return (uint32_t)at[0] | (uint32_t)at[1] << 8; }

/* --- tables ------------------------------------------------------------------------------------------------------- */

/* An array of a language's: `count` of `each` bytes and `more` bytes. False where it is not inside the table. */
static bool take_array(const struct g2p_draft *draft, const unsigned char **record, size_t each, size_t more,
                       const unsigned char **array, uint32_t *count) {
  size_t at = u32(*record);
  *count = u32(*record + 4);
  *record += 8;
  *array = draft->table + at;
  return at <= draft->size && more <= draft->size - at && *count <= (draft->size - at - more) / each;
}

static bool read_language(const struct g2p_draft *draft, uint32_t number, struct g2p_draft_language *language) {
  const unsigned char *record = draft->table + HEADER + (size_t)number * LANGUAGE;
  if (record[CODE - 1]) return false;
  record += CODE;
  language->number = number;
  if (!take_array(draft, &record, LETTER, 0, &language->letters, &language->letters_count) ||
      !take_array(draft, &record, OTHER, 0, &language->others, &language->others_count) ||
      !take_array(draft, &record, 2, 2, &language->ends, &language->parts_count) ||
      !take_array(draft, &record, LEVEL, 0, &language->levels, &language->levels_count) ||
      !take_array(draft, &record, 4, 4, &language->buckets, &language->buckets_count) ||
      !take_array(draft, &record, ENTRY, 0, &language->entries, &language->entries_count))
    return false;
  if (!language->letters_count || !language->buckets_count) return false;
  if (language->parts_count > MOST_PARTS || language->levels_count > MOST_LEVELS) return false;
  for (uint32_t i = 0; i < language->levels_count * LEVEL; i++)
    if (language->levels[i] > WIDEST) return false;
  language->letters_count -= SENTINEL;
  language->text_size = u16(language->ends + (size_t)language->parts_count * 2);
  size_t ends = ((size_t)language->parts_count + 1) * 2, at = (size_t)(language->ends - draft->table);
  return language->text_size <= draft->size - at - ends;
}

g2p_status g2p_draft_begin(const char *name, g2p_text data, struct g2p_draft *draft, g2p_error *error) {
  struct g2p_draft_language language;
  *draft = (struct g2p_draft){.table = (const unsigned char *)data.data, .size = data.size};
  bool whole = data.size >= HEADER && memcmp(data.data, MAGIC, sizeof MAGIC) == 0 && u32(draft->table + 8) == data.size;
  uint32_t languages = whole ? u32(draft->table + 12) : 0;
  whole = whole && languages <= (data.size - HEADER) / LANGUAGE;
  for (uint32_t i = 0; whole && i < languages; i++) whole = read_language(draft, i, &language);
  if (whole) return G2P_OK;
  *draft = (struct g2p_draft){.table = NULL};
  return g2p_fail(error, G2P_INVALID_DRAFT, "%s: damaged, or no draft table of this version: copy or build it again",
                  name);
}

bool g2p_draft_language(const struct g2p_draft *draft, const char *lang, struct g2p_draft_language *language) {
  size_t code = strlen(lang);
  for (uint32_t i = 0; draft->table && i < u32(draft->table + 12); i++)
    if (code < CODE && memcmp(draft->table + HEADER + (size_t)i * LANGUAGE, lang, code + 1) == 0)
      return read_language(draft, i, language);
  return false;
}

/* A part's text; nothing where it is damaged. */
static g2p_text part_of(const struct g2p_draft_language *language, uint32_t part) {
  if (part >= language->parts_count) return (g2p_text){NULL, 0};
  uint32_t begin = u16(language->ends + (size_t)part * 2), end = u16(language->ends + (size_t)part * 2 + 2);
  if (begin > end || end > language->text_size) return (g2p_text){NULL, 0};
  const unsigned char *text = language->ends + ((size_t)language->parts_count + 1) * 2;
  return (g2p_text){(const char *)text + begin, end - begin};
}

/* --- what a letter is said as ------------------------------------------------------------------------------------- */

static uint32_t letter_at(const struct g2p_guess *guess, size_t letter, size_t before) {
  if (before > letter) return BEFORE;
  return letter - before < guess->letters_count ? guess->letters[letter - before] : BEHIND;
}

static uint64_t mix(uint64_t hash, uint64_t seen) {
  hash = (hash ^ seen) * 0x9e3779b97f4a7c15u;
  return hash ^ hash >> 29;
}

struct answer {
  g2p_text part;
  uint32_t sure;
};

/* The answer of one level. `said` points behind the last byte that was said, and has WIDEST bytes before the first. */
static bool look_up(const struct g2p_draft_language *language, const struct g2p_guess *guess, uint32_t level,
                    size_t letter, const unsigned char *said, struct answer *answer) {
  const unsigned char *look = language->levels + (size_t)level * LEVEL;
  uint64_t hash = level + 1;
  for (size_t i = look[0]; i > 0; i--) hash = mix(hash, letter_at(guess, letter, i));
  for (size_t i = 0; i <= look[1]; i++) hash = mix(hash, letter_at(guess, letter + i, 0));
  for (size_t i = 1; i <= look[2]; i++) hash = mix(hash, *(said - i));
  const unsigned char *bucket = language->buckets + (size_t)((hash >> 32) * language->buckets_count >> 32) * 4;
  uint32_t at = u32(bucket), end = u32(bucket + 4);
  if (end > language->entries_count) return false;
  for (; at < end; at++) {
    uint32_t entry = u32(language->entries + (size_t)at * ENTRY);
    if ((entry & 0x3ffff) != (hash & 0x3ffff)) continue;
    answer->part = part_of(language, entry >> 18 & 0x3ff);
    answer->sure = entry >> 28;
    return answer->part.data != NULL;
  }
  return false;
}

/* --- a guess ------------------------------------------------------------------------------------------------------ */

/* Where a guess goes on: at a letter, or within the part of the one before it. */
struct place {
  size_t letter;
  g2p_text rest;
};

/* The numbers of the parts that a letter is known to be said as. */
static void others_of(const struct g2p_draft_language *language, uint32_t letter, uint32_t *first, uint32_t *end) {
  uint32_t low = 0, high = language->letters_count;
  *first = *end = 0;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    const unsigned char *found = language->letters + (size_t)middle * LETTER;
    if (u32(found) == letter) {
      *first = u32(found + 4);
      *end = u32(found + LETTER + 4);
      if (*end > language->others_count) *end = 0;
      return;
    }
    if (u32(found) < letter)
      low = middle + 1;
    else
      high = middle;
  }
}

static void improve(uint16_t *cost, uint32_t value) {
  if (value < *cost) *cost = (uint16_t)value;
}

/* Aligns what was said with the letters: `costs[i]` is the least cost of saying the first i bytes with the letters before
 * the one that is looked at. The place with the least cost that explains all bytes is where the guess goes on. */
static struct place align(const struct g2p_draft_language *language, const struct g2p_guess *guess, uint16_t *costs,
                          const unsigned char *said, size_t count) {
  struct place place = {0, {NULL, 0}};
  uint16_t *now = costs, *next = costs + count + 1;
  uint32_t best = NEVER;
  for (size_t i = 0; i <= count; i++) now[i] = NEVER;
  now[0] = 0;
  for (size_t letter = 0; letter <= guess->letters_count + 1; letter++) {
    uint32_t least = NEVER, first, end;
    for (size_t i = 0; i < count; i++) improve(&now[i + 1], now[i] == NEVER ? NEVER : now[i] + STRAY);
    for (size_t i = 0; i <= count; i++) {
      if (now[i] < least) least = now[i];
      next[i] = NEVER;
    }
    if (now[count] < best) {
      best = now[count];
      place = (struct place){letter, {NULL, 0}};
    }
    if (least >= best || letter > guess->letters_count) break;
    others_of(language, letter_at(guess, letter, 0), &first, &end);
    for (size_t i = 0; i <= count; i++) {
      if (now[i] > least + FAR || now[i] >= best) continue;
      improve(&next[i], (uint32_t)now[i] + SKIPPED);
      for (uint32_t each = first; each < end; each++) {
        const unsigned char *other = language->others + (size_t)each * OTHER;
        uint32_t cost = now[i] + other[2];
        g2p_text part = part_of(language, u16(other));
        if (cost >= best || !part.data) continue;
        if (part.size <= count - i) {
          if (memcmp(said + i, part.data, part.size) == 0) improve(&next[i + part.size], cost);
        } else if (i < count && memcmp(said + i, part.data, count - i) == 0) {
          best = cost;
          place = (struct place){letter + 1, {part.data + (count - i), part.size - (count - i)}};
        }
      }
    }
    uint16_t *old = now;
    now = next;
    next = old;
  }
  return place;
}

/* A guess that grows. */
struct growing {
  const struct g2p_traits *traits;
  struct g2p_guess *guess;
  unsigned char *said; /* bytes, those before the guess among them */
  uint32_t chance;     /* of what is added next */
};

static void add_id(struct growing *growing, int32_t id) {
  struct g2p_guess *guess = growing->guess;
  if (guess->count >= growing->traits->output_len - 1) return;
  guess->ids[guess->count] = id < growing->traits->vocabulary ? id : growing->traits->pad_id;
  guess->chance[guess->count++] = (uint8_t)growing->chance;
  growing->chance = CERTAIN;
}

static void add_part(struct growing *growing, g2p_text part) {
  for (size_t i = 0; i < part.size; i++) {
    unsigned char byte = (unsigned char)part.data[i];
    growing->said[growing->guess->count] = byte;
    add_id(growing, byte + growing->traits->byte_offset);
  }
}

void g2p_draft_guess(const struct g2p_draft_language *language, const struct g2p_traits *traits,
                     struct g2p_draft_room room, int32_t said, struct g2p_guess *guess) {
  struct growing growing = {traits, guess, room.said + WIDEST, CERTAIN};
  guess->count = said;
  memset(room.said, 0, WIDEST);
  for (int32_t i = 0; i < said; i++) {
    int32_t byte = guess->ids[i] - traits->byte_offset;
    if (byte < 0 || byte > 255) return; /* the model has said what is no text */
    growing.said[i] = (unsigned char)byte;
  }
  struct place place = align(language, guess, room.costs, growing.said, (size_t)said);
  if (place.rest.size) {
    growing.chance = RESUMED;
    add_part(&growing, place.rest);
  }
  for (size_t letter = place.letter; letter <= guess->letters_count; letter++) {
    if (guess->count >= traits->output_len - 1) return;
    struct answer answer;
    uint32_t level = language->levels_count;
    while (level-- > 0 && !look_up(language, guess, level, letter, growing.said + guess->count, &answer)) continue;
    if (level == UINT32_MAX) return; /* a letter that the table has not */
    uint32_t unsure = SURE - answer.sure;
    growing.chance = growing.chance * (CERTAIN - CERTAIN * unsure * unsure / (SURE * SURE)) / CERTAIN;
    add_part(&growing, answer.part);
  }
  add_id(&growing, traits->eos_id);
}
