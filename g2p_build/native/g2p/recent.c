/* A table of the words that were used last: one piece of memory, in which each has the same room. Their ids have two bytes
 * here. Callers hold a lock. */
#include "recent.h"

#include <string.h>

#define NOBODY UINT32_MAX

struct entry {
  uint32_t hash, next;   /* of the entries with a bucket */
  uint32_t newer, older; /* of all entries, by their last use */
  uint32_t input_count;  /* then `said.ids_count` ids follow the input's */
  struct g2p_said said;
  uint16_t ids[]; /* [input_len + output_len] */
};

struct g2p_recent {
  size_t bytes; /* of this memory */
  size_t entry_bytes;
  uint32_t words, used, buckets_mask; /* most words, how many there are, and how many lists of them, less 1 */
  uint32_t newest, oldest;
  char *entries;
  uint32_t buckets[];
};

static struct entry *entry_of(const struct g2p_recent *recent, uint32_t number) {
  return (struct entry *)(void *)(recent->entries + number * recent->entry_bytes);
}

struct g2p_recent *g2p_recent_begin(const g2p_allocator *allocator, const struct g2p_traits *traits, uint32_t words) {
  size_t ids = (size_t)traits->input_len + (size_t)traits->output_len, buckets = 1;
  size_t entry = (sizeof(struct entry) + ids * sizeof(uint16_t) + 7) / 8 * 8;
  while (buckets < words) buckets *= 2;
  size_t head = (sizeof(struct g2p_recent) + buckets * sizeof(uint32_t) + 7) / 8 * 8;
  if (words > (SIZE_MAX - head) / entry) return NULL;
  struct g2p_recent *recent = g2p_allocate(allocator, head + words * entry);
  if (!recent) return NULL;
  *recent = (struct g2p_recent){.bytes = head + words * entry,
                                .entry_bytes = entry,
                                .words = words,
                                .buckets_mask = (uint32_t)buckets - 1,
                                .newest = NOBODY,
                                .oldest = NOBODY,
                                .entries = (char *)recent + head};
  memset(recent->buckets, 0xff, buckets * sizeof(uint32_t)); /* nobody */
  return recent;
}

void g2p_recent_end(const g2p_allocator *allocator, struct g2p_recent *recent) {
  if (recent) g2p_release(allocator, recent, recent->bytes);
}

/* FNV-1a. */
static uint32_t hash_of(const int32_t *input, size_t count) {
  uint32_t hash = 2166136261U;
  for (size_t i = 0; i < count; i++) hash = (hash ^ (uint32_t)input[i]) * 16777619U;
  return hash ^ hash >> 15;
}

static uint32_t find(const struct g2p_recent *recent, uint32_t hash, const int32_t *input, size_t count) {
  uint32_t number = recent->buckets[hash & recent->buckets_mask];
  for (; number != NOBODY; number = entry_of(recent, number)->next) {
    const struct entry *entry = entry_of(recent, number);
    if (entry->hash != hash || entry->input_count != count) continue;
    size_t same = 0;
    while (same < count && entry->ids[same] == input[same]) same++;
    if (same == count) break;
  }
  return number;
}

static void leave_order(struct g2p_recent *recent, const struct entry *entry) {
  *(entry->newer == NOBODY ? &recent->newest : &entry_of(recent, entry->newer)->older) = entry->older;
  *(entry->older == NOBODY ? &recent->oldest : &entry_of(recent, entry->older)->newer) = entry->newer;
}

static void make_newest(struct g2p_recent *recent, uint32_t number) {
  struct entry *entry = entry_of(recent, number);
  entry->newer = NOBODY;
  entry->older = recent->newest;
  *(recent->newest == NOBODY ? &recent->oldest : &entry_of(recent, recent->newest)->newer) = number;
  recent->newest = number;
}

bool g2p_recent_find(struct g2p_recent *recent, const int32_t *input, size_t input_count, bool scored, int32_t *ids,
                     struct g2p_said *said) {
  uint32_t number = find(recent, hash_of(input, input_count), input, input_count);
  if (number == NOBODY) return false;
  struct entry *entry = entry_of(recent, number);
  if (scored && !entry->said.scored) return false;
  *said = entry->said;
  for (size_t i = 0; i < said->ids_count; i++) ids[i] = entry->ids[input_count + i];
  leave_order(recent, entry);
  make_newest(recent, number);
  return true;
}

/* An entry that nobody has: a new one, or that of the word that was used least lately. */
static uint32_t take_entry(struct g2p_recent *recent) {
  if (recent->used < recent->words) return recent->used++;
  uint32_t number = recent->oldest;
  const struct entry *entry = entry_of(recent, number);
  leave_order(recent, entry);
  uint32_t *link = &recent->buckets[entry->hash & recent->buckets_mask];
  while (*link != number) link = &entry_of(recent, *link)->next;
  *link = entry->next;
  return number;
}

void g2p_recent_add(struct g2p_recent *recent, const int32_t *input, size_t input_count, const int32_t *ids,
                    const struct g2p_said *said) {
  uint32_t hash = hash_of(input, input_count), number = find(recent, hash, input, input_count);
  if (number != NOBODY) {
    leave_order(recent, entry_of(recent, number));
  } else {
    number = take_entry(recent);
    struct entry *entry = entry_of(recent, number);
    uint32_t *bucket = &recent->buckets[hash & recent->buckets_mask];
    entry->hash = hash;
    entry->next = *bucket;
    entry->input_count = (uint32_t)input_count;
    for (size_t i = 0; i < input_count; i++) entry->ids[i] = (uint16_t)input[i];
    *bucket = number;
  }
  struct entry *entry = entry_of(recent, number);
  entry->said = *said;
  for (size_t i = 0; i < said->ids_count; i++) entry->ids[input_count + i] = (uint16_t)ids[i];
  make_newest(recent, number);
}
