/* What the files of the core share, and what the families' files take of them. Nothing here is exported. */
#ifndef G2P_CORE_H
#define G2P_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base.h"
#include "program.h"

#pragma GCC visibility push(hidden)

/* error.c: one line of text, put together without stdio. */

/* Fills an error, which may be NULL, and gives its status back. `format` knows %s (a string), %t (a g2p_text *, shown
 * in quotes and shortened), %z (a size_t), %d (an int). What cannot be printed is escaped. No word is named. */
g2p_status g2p_fail(g2p_error *error, g2p_status status, const char *format, ...);

/* Says that nothing went wrong yet: what every call begins with. The error may be NULL. */
void g2p_no_error(g2p_error *error);

/* memory.c: the caller's allocator, or malloc. */

void *g2p_allocate(const g2p_allocator *allocator, size_t size); /* aligned to G2P_ALIGNMENT; NULL where none is left */
void g2p_release(const g2p_allocator *allocator, void *memory, size_t size); /* NULL is nothing */
extern const g2p_allocator g2p_malloc;

/* json.c: a reader of JSON text that allocates nothing. Check a text first: the rest takes only what was checked. */

/* Whether a text is one JSON value, as Python's json module takes it, in UTF-8 and not nested deeper than 256; `value`
 * becomes the text without the white space around it. Names that are there twice are not looked for. */
bool g2p_json_check(g2p_text text, g2p_text *value);

/* The items of an object or an array that are still to come. */
struct g2p_json {
  const char *at, *end;
};

struct g2p_json g2p_json_items(g2p_text value);

/* The next item; false after the last. `key` is the name with its quotes, nothing in an array. */
bool g2p_json_next(struct g2p_json *items, g2p_text *key, g2p_text *value);

size_t g2p_json_length(g2p_text value); /* items of an object or an array */

/* An object's members of these names, nothing (size 0) where there is none; false where the value is no object, or a
 * name is there twice. */
bool g2p_json_members(g2p_text value, const char *const *names, size_t count, g2p_text *values);

/* Whether a value is the string `expected`, or begins with it. */
bool g2p_json_is(g2p_text value, const char *expected);
bool g2p_json_starts(g2p_text value, const char *expected);

/* Whether a value is an integer of 0 or more, and which; UINT64_MAX where it is greater than that. */
bool g2p_json_count(g2p_text value, uint64_t *count);

/* sha256.c (FIPS 180-4) */

struct g2p_sha256 {
  bool fast; /* by the processor's instructions */
  uint32_t state[8];
  uint64_t size;
  uint8_t block[64];
};

void g2p_sha256_begin(struct g2p_sha256 *sha);
void g2p_sha256_add(struct g2p_sha256 *sha, const void *data, size_t size);
void g2p_sha256_end(struct g2p_sha256 *sha, char hex[65]);

/* files.c: read-only mappings, by mmap or MapViewOfFile; with G2P_NO_FILES every call is G2P_UNSUPPORTED. */

struct g2p_mapping {
  const char *data;
  size_t size;
  void *handle; /* of the system; NULL where nothing is to be unmapped */
};

g2p_status g2p_map(const char *path, struct g2p_mapping *mapping, g2p_error *error);
void g2p_unmap(struct g2p_mapping *mapping);

/* layout.c */

/* Refuses a variant whose structures are not those of the core, or not those of the files that call this: `layout` is
 * their G2P_LAYOUT. Before this nothing else of a variant is read. */
g2p_status g2p_check_variant(const struct g2p_variant *variant, uint32_t layout, g2p_error *error);

/* weights.c */

/* Finds the first member of a tar whose name has an ending; no data where there is none, or where it is no tar. */
g2p_status g2p_find_member(const char *data, size_t size, const char *ending, g2p_text *member, g2p_error *error);

/* One tensor of a safetensors file. */
struct g2p_found {
  g2p_text name;  /* as JSON, with its quotes; it may have escapes */
  g2p_text dtype; /* as JSON */
  uint32_t rank;
  uint64_t shape[8];
  const char *data; /* at a multiple of G2P_ALIGNMENT */
};

/* Hands over each tensor of a safetensors file, or of the first member of a tar whose name ends in .safetensors, but for
 * those that fill gaps. What `take` gives ends it, unless it is G2P_OK. */
g2p_status g2p_each_tensor(const char *data, size_t size, g2p_status (*take)(void *user, const struct g2p_found *found),
                           void *user, g2p_error *error);

/* Finds a program's tensors in a safetensors file, or in the first member of a tar whose name ends in .safetensors.
 * `pointers` gets one for each of the program's weights. Every byte that a pointer leads to lies inside `data`. */
g2p_status g2p_find_weights(const struct g2p_program *program, const char *data, size_t size, const void **pointers,
                            g2p_error *error);

/* manifest.c */

struct g2p_weights_file {
  char path[4096];
  char sha256[65];
  uint64_t size;
};

/* Reads a manifest, checks that it is whole and of this variant, and says where its weights archive lies. */
g2p_status g2p_read_manifest(const struct g2p_variant *variant, const char *path, struct g2p_weights_file *weights,
                             g2p_error *error);

/* utf8.c */

/* Bytes of the UTF-8 character at `at`, which is before `end`, and its code point; 0 where there is none. */
size_t g2p_utf8(const char *at, const char *end, uint32_t *code);

/* Whether a character is what Python's str.strip takes away. */
bool g2p_is_white(uint32_t code);

/* processors.c */

/* How many processors this process may use: at least 1. */
uint32_t g2p_processors(void);

/* On Linux: what the quotas of this process's control groups leave of `most` processors. `system` is where groups are
 * mounted, `groups` the file that says which groups it is in. */
uint32_t g2p_quota(const char *system, const char *groups, uint32_t most);

/* clock.c */

/* Nanoseconds since some moment before the process began; always 0 where there is no clock, as in WebAssembly. */
uint64_t g2p_nanoseconds(void);

/* cpu.c */

/* Whether this processor and its system have a feature, by its name in Linux's /proc/cpuinfo. */
bool g2p_has_feature(const char *name);

/* Which of a program's extensions this processor has: the number of the last one, from 1; 0: none. */
int32_t g2p_extension_of(const struct g2p_program *program);

/* The first of a variant's features that this processor or its system lacks; NULL: none. */
const char *g2p_missing_feature(const struct g2p_variant *variant);

#pragma GCC visibility pop
#endif
