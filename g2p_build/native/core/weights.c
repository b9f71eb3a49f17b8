/* The tensors of a safetensors file, used in place: pointers into the caller's bytes, nothing is copied.
 *
 * The format (https://github.com/huggingface/safetensors#format): 8 bytes, the header's length as a little-endian
 * unsigned integer; the header, a JSON object from tensor names to dtype, shape and data_offsets; the tensors' bytes.
 * The file may be a member of a tar (POSIX.1-1988 ustar, or GNU's), whose data begin at multiples of 512 bytes. */
#include <string.h>

#include "core.h"

enum { BLOCK = 512, MOST_RANK = 8, MOST_HEADER = 100000000 /* bytes: the safetensors library's own bound */ };

/* Gaps between tensors, which the format does not allow, are filled by tensors of this name. */
#define PADDING "_padding."

struct entry { /* one tensor of the header */
  g2p_text dtype;
  uint32_t rank;
  uint64_t shape[MOST_RANK];
  uint64_t begin, end; /* among the tensors' bytes */
};

static const struct {
  const char *dtype;
  uint64_t bytes;
} sizes[] = {{"F32", 4}, {"I32", 4}, {"F16", 2}, {"BF16", 2}, {"I8", 1}};

enum { DTYPES = sizeof sizes / sizeof *sizes };

/* Bytes of a number; 0 for a dtype that no library takes. */
static uint64_t bytes_of(g2p_text dtype) {
  for (size_t i = 0; i < DTYPES; i++) {
    if (g2p_json_is(dtype, sizes[i].dtype)) {
      return sizes[i].bytes;
    }
  }
  return 0;
}

/* The counts of an array, at most `most` of them; false where it is no array of counts. */
static bool read_counts(g2p_text value, uint64_t *counts, uint32_t most, uint32_t *number) {
  if (*value.data != '[') {
    return false;
  }
  struct g2p_json items = g2p_json_items(value);
  g2p_text key, item;
  for (*number = 0; g2p_json_next(&items, &key, &item); ++*number) {
    if (*number == most || !g2p_json_count(item, &counts[*number])) {
      return false;
    }
  }
  return true;
}

static g2p_status read_entry(g2p_text name, g2p_text value, uint64_t room, struct entry *entry, g2p_error *error) {
  static const char *const fields[] = {"dtype", "shape", "data_offsets"};
  g2p_text found[3];
  if (!g2p_json_members(value, fields, 3, found) || !found[0].size || !found[1].size || !found[2].size ||
      g2p_json_length(value) != 3) {
    return g2p_fail(error, G2P_INVALID_WEIGHTS, "tensor %t has not exactly dtype, shape and data_offsets", &name);
  }
  entry->dtype = found[0];
  uint64_t bytes = bytes_of(entry->dtype);
  if (!bytes) {
    return g2p_fail(error, G2P_INVALID_WEIGHTS, "tensor %t has dtype %t: one of F32, F16, BF16, I32, I8 is wanted",
                    &name, &entry->dtype);
  }
  bool counts = read_counts(found[1], entry->shape, MOST_RANK, &entry->rank);
  for (uint32_t i = 0; counts && i < entry->rank; i++) {
    counts = entry->shape[i] != 0;
  }
  if (!counts) {
    return g2p_fail(error, G2P_INVALID_WEIGHTS, "tensor %t has shape %t: at most 8 positive integers are wanted", &name,
                    &found[1]);
  }
  uint64_t offsets[2];
  uint32_t number;
  if (!read_counts(found[2], offsets, 2, &number) || number != 2 || offsets[0] > offsets[1] || offsets[1] > room) {
    return g2p_fail(error, G2P_INVALID_WEIGHTS, "tensor %t lies at %t, outside the %z bytes of data", &name, &found[2],
                    (size_t)room);
  }
  entry->begin = offsets[0], entry->end = offsets[1];
  uint64_t size = offsets[1] - offsets[0];
  bool fits = true;
  for (uint32_t i = 0; i < entry->rank && fits; i++) {
    fits = entry->shape[i] <= size / bytes; /* else the product, which may not fit 64 bits, is greater too */
    bytes *= fits ? entry->shape[i] : 1;
  }
  if (!fits || bytes != size) {
    return g2p_fail(error, G2P_INVALID_WEIGHTS, "tensor %t has %z bytes, its shape %t wants another number", &name,
                    (size_t)size, &found[1]);
  }
  return G2P_OK;
}

static bool same_shape(const struct g2p_found *found, const struct g2p_tensor *tensor) {
  bool same = found->rank == tensor->rank;
  for (uint32_t i = 0; same && i < tensor->rank; i++) {
    same = found->shape[i] == tensor->shape[i];
  }
  return same;
}

static size_t size_of(const struct g2p_tensor *tensor) {
  size_t size = 0;
  for (size_t i = 0; i < DTYPES; i++) {
    if (strcmp(tensor->dtype, sizes[i].dtype) == 0) {
      size = (size_t)sizes[i].bytes;
    }
  }
  for (uint32_t i = 0; i < tensor->rank; i++) {
    size *= tensor->shape[i];
  }
  return size;
}

/* Every tensor that the program takes is there, and none of their bytes is another's. Sizes are those of the file's
 * tensors, whose shapes and dtypes have been compared. */
static g2p_status check_found(const struct g2p_program *program, const void *const *pointers, g2p_error *error) {
  const struct g2p_tensor *weights = program->weights;
  for (size_t i = 0; i < program->weights_count; i++) {
    if (!pointers[i]) {
      return g2p_fail(error, G2P_INVALID_WEIGHTS,
                      "the weights do not hold '%s', which the library takes: give those "
                      "it was built with",
                      weights[i].name);
    }
    uintptr_t begin = (uintptr_t)pointers[i], end = begin + size_of(&weights[i]);
    for (size_t j = 0; j < i; j++) {
      uintptr_t other = (uintptr_t)pointers[j];
      if (begin < other + size_of(&weights[j]) && other < end) {
        return g2p_fail(error, G2P_INVALID_WEIGHTS, "tensors '%s' and '%s' overlap", weights[j].name, weights[i].name);
      }
    }
  }
  return G2P_OK;
}

/* Tensors that nothing takes must be whole too; whether they overlap or have a name twice is not looked at. */
static g2p_status each_of(const char *data, size_t size, g2p_status (*take)(void *user, const struct g2p_found *found),
                          void *user, g2p_error *error) {
  uint64_t length = 0;
  if (size < 8) {
    return g2p_fail(error, G2P_INVALID_WEIGHTS, "%z bytes are too few for a safetensors file", size);
  }
  for (int i = 7; i >= 0; i--) {
    length = length << 8 | (unsigned char)data[i];
  }
  if (length > size - 8 || length > MOST_HEADER) {
    return g2p_fail(error, G2P_INVALID_WEIGHTS,
                    "not a safetensors file: its header's length is more than the %z bytes "
                    "there are, or than a header may have",
                    size);
  }
  g2p_text header = {data + 8, (size_t)length};
  if (!g2p_json_check(header, &header)) {
    return g2p_fail(error, G2P_INVALID_WEIGHTS, "the header of the weights is not JSON: give the file that was built");
  }
  if (*header.data != '{') {
    return g2p_fail(error, G2P_INVALID_WEIGHTS, "the header of the weights is not a JSON object");
  }
  size_t start = 8 + (size_t)length;
  struct g2p_json items = g2p_json_items(header);
  g2p_text name, value;
  while (g2p_json_next(&items, &name, &value)) {
    struct entry entry;
    if (g2p_json_is(name, "__metadata__") || g2p_json_starts(name, PADDING)) {
      continue;
    }
    g2p_text shown = {name.data + 1, name.size - 2};
    g2p_status status = read_entry(shown, value, size - start, &entry, error);
    if (status) {
      return status;
    }
    size_t begin = start + (size_t)entry.begin;
    if (begin % G2P_ALIGNMENT) {
      return g2p_fail(error, G2P_INVALID_WEIGHTS, "tensor %t begins at byte %z, not at a multiple of %d", &shown, begin,
                      G2P_ALIGNMENT);
    }
    struct g2p_found found = {name, entry.dtype, entry.rank, {0}, data + begin};
    memcpy(found.shape, entry.shape, entry.rank * sizeof *entry.shape);
    status = take(user, &found);
    if (status) {
      return status;
    }
  }
  return G2P_OK;
}

struct search { /* for a program's tensors */
  const struct g2p_program *program;
  const void **pointers;
  size_t next; /* files have tensors in an order near the program's */
  g2p_error *error;
};

static g2p_status take_tensor(void *user, const struct g2p_found *found) {
  struct search *search = user;
  const struct g2p_tensor *weights = search->program->weights;
  size_t count = search->program->weights_count, tries = 0;
  while (tries < count && !g2p_json_is(found->name, weights[search->next].name)) {
    search->next = search->next + 1 < count ? search->next + 1 : 0;
    tries++;
  }
  if (tries == count) {
    return G2P_OK;
  }
  g2p_text shown = {found->name.data + 1, found->name.size - 2};
  if (search->pointers[search->next]) {
    return g2p_fail(search->error, G2P_INVALID_WEIGHTS, "tensor %t is there twice", &shown);
  }
  if (!g2p_json_is(found->dtype, weights[search->next].dtype) || !same_shape(found, &weights[search->next])) {
    return g2p_fail(search->error, G2P_INVALID_WEIGHTS,
                    "tensor %t has another shape or dtype than the library takes: give "
                    "the weights it was built with",
                    &shown);
  }
  search->pointers[search->next] = found->data;
  return G2P_OK;
}

/* An octal number of a tar header, ended by a space, a zero or the field; false where it is none. */
static bool read_octal(const char *field, size_t size, uint64_t *number) {
  size_t at = 0;
  while (at < size && field[at] == ' ') {
    at++;
  }
  size_t begin = at;
  for (*number = 0; at < size && field[at] >= '0' && field[at] <= '7'; at++) {
    *number = *number << 3 | (uint64_t)(field[at] - '0');
  }
  return at > begin && (at == size || field[at] == ' ' || !field[at]);
}

/* Whether a block is the header of a tar's member: its magic and its checksum are right. */
static bool is_member(const char *block) {
  uint64_t wanted, sum = 0;
  for (size_t i = 0; i < BLOCK; i++) {
    sum += i >= 148 && i < 156 ? ' ' : (unsigned char)block[i];
  }
  return memcmp(block + 257, "ustar", 5) == 0 && read_octal(block + 148, 8, &wanted) && wanted == sum;
}

/* Whether a member's name, which takes up to 100 bytes, has an ending. */
static bool ends_in(const char *name, const char *ending) {
  const char *end = memchr(name, 0, 100);
  size_t size = end ? (size_t)(end - name) : 100, wanted = strlen(ending);
  return size >= wanted && memcmp(name + size - wanted, ending, wanted) == 0;
}

g2p_status g2p_find_member(const char *data, size_t size, const char *ending, g2p_text *member, g2p_error *error) {
  static const char zeros[BLOCK];
  *member = (g2p_text){NULL, 0};
  if (size < BLOCK || !is_member(data)) {
    return G2P_OK;
  }
  for (size_t at = 0; size - at >= BLOCK && memcmp(data + at, zeros, BLOCK) != 0;) {
    const char *block = data + at;
    uint64_t bytes;
    if (!is_member(block) || !read_octal(block + 124, 12, &bytes)) {
      return g2p_fail(error, G2P_INVALID_WEIGHTS, "the archive is damaged at byte %z: build or download it again", at);
    }
    at += BLOCK;
    if (bytes > size - at) {
      return g2p_fail(error, G2P_INVALID_WEIGHTS, "the archive ends within a member: build or download it again");
    }
    if ((block[156] == '0' || !block[156]) && ends_in(block, ending)) {
      *member = (g2p_text){data + at, (size_t)bytes};
      return G2P_OK;
    }
    uint64_t taken = (bytes + BLOCK - 1) / BLOCK * BLOCK;
    at = taken < size - at ? at + (size_t)taken : size;
  }
  return G2P_OK;
}

g2p_status g2p_each_tensor(const char *data, size_t size, g2p_status (*take)(void *user, const struct g2p_found *found),
                           void *user, g2p_error *error) {
  if ((uintptr_t)data % G2P_ALIGNMENT) {
    return g2p_fail(error, G2P_INVALID_ARGUMENT, "the weights do not begin at a multiple of %d bytes in memory",
                    G2P_ALIGNMENT);
  }
  if (size < BLOCK || !is_member(data)) {
    return each_of(data, size, take, user, error);
  }
  g2p_text member;
  g2p_status status = g2p_find_member(data, size, ".safetensors", &member, error);
  if (status != G2P_OK) {
    return status;
  }
  if (!member.data) {
    return g2p_fail(error, G2P_INVALID_WEIGHTS, "the archive has no member whose name ends in .safetensors");
  }
  return each_of(member.data, member.size, take, user, error);
}

g2p_status g2p_find_weights(const struct g2p_program *program, const char *data, size_t size, const void **pointers,
                            g2p_error *error) {
  struct search search = {program, pointers, 0, error};
  for (size_t i = 0; i < program->weights_count; i++) {
    pointers[i] = NULL;
  }
  g2p_status status = g2p_each_tensor(data, size, take_tensor, &search, error);
  return status ? status : check_found(program, pointers, error);
}
