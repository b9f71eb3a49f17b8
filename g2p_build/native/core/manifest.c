/* A manifest: whether it is whole and of this library, and where its weights archive lies. */
#include <string.h>

#include "core.h"

enum { SCHEMA_VERSION = 2 };

#if defined(_WIN32)
#define SEPARATORS "/\\:"
#else
#define SEPARATORS "/"
#endif

/* Adds JSON text without the white space between its tokens: the canonical form of what is written indented. */
static void add_canonical(struct g2p_sha256 *sha, const char *at, const char *end) {
  const char *begin = at;
  bool string = false;
  for (; at < end; at++) {
    if (*at == '"') {
      string = !string;
    } else if (string) {
      at += *at == '\\';
    } else if (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r') {
      g2p_sha256_add(sha, begin, (size_t)(at - begin));
      begin = at + 1;
    }
  }
  g2p_sha256_add(sha, begin, (size_t)(end - begin));
}

static bool has_digest(g2p_text value, const char *wanted) {
  struct g2p_sha256 sha;
  char hex[65];
  g2p_sha256_begin(&sha);
  add_canonical(&sha, value.data, value.data + value.size);
  g2p_sha256_end(&sha, hex);
  return strcmp(hex, wanted) == 0;
}

/* Whether a manifest has the digest that it names: of its canonical text without the member "digest". */
static bool is_unchanged(g2p_text manifest, g2p_text digest) {
  struct g2p_sha256 sha;
  char hex[65];
  const char *end = manifest.data + manifest.size, *before = digest.data, *after = digest.data + digest.size;
  do {
    before--;
  } while (*before != '"');
  before -= sizeof "\"digest" - 1; /* a name that is spelt with escapes is longer: the digest is then another one */
  while (*after != ',' && *after != '}') {
    after++;
  }
  g2p_sha256_begin(&sha);
  add_canonical(&sha, manifest.data, before);
  add_canonical(&sha, after + (*after == ','), end);
  g2p_sha256_end(&sha, hex);
  return g2p_json_is(digest, hex);
}

/* A string of at least `least` and at most `most` characters, all of them in `allowed`. */
static bool is_made_of(g2p_text value, const char *allowed, size_t least, size_t most) {
  if (*value.data != '"' || value.size - 2 < least || value.size - 2 > most) {
    return false;
  }
  for (size_t i = 1; i < value.size - 1; i++) {
    if (!value.data[i] || !strchr(allowed, value.data[i])) {
      return false;
    }
  }
  return true;
}

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"

static g2p_status fail(g2p_error *error, const char *name, const char *what) {
  return g2p_fail(error, G2P_INVALID_MANIFEST, "%s: %s", name, what);
}

/* Checks a manifest but for its archives, which are left to read. */
static g2p_status check(const struct g2p_variant *variant, const char *name, g2p_text text, g2p_text *archives,
                        g2p_error *error) {
  static const char *const members[] = {"schema_version", "digest", "model", "functions", "archives"};
  g2p_text found[5];
  uint64_t version;
  if (!g2p_json_check(text, &text)) {
    return fail(error, name, "not a readable JSON file: name a manifest");
  }
  if (!g2p_json_members(text, members, 5, found)) {
    return fail(error, name, "not a manifest: it is no JSON object, or has a member twice");
  }
  if (!found[0].size || !g2p_json_count(found[0], &version)) {
    return fail(error, name, "not a manifest: it has no schema_version");
  }
  if (version > SCHEMA_VERSION) {
    return g2p_fail(error, G2P_NEWER_MANIFEST,
                    "%s: schema version %z is newer than %d, the one this library reads: take a newer library", name,
                    version < SIZE_MAX ? (size_t)version : SIZE_MAX, SCHEMA_VERSION);
  }
  if (version && version < SCHEMA_VERSION) {
    return g2p_fail(error, G2P_INVALID_MANIFEST,
                    "%s: schema version %z is older than %d, the one this library reads: build the variant again", name,
                    (size_t)version, SCHEMA_VERSION);
  }
  if (version != SCHEMA_VERSION || !found[1].size || !found[2].size || !found[3].size || !found[4].size) {
    return fail(error, name, "not a manifest: schema_version 2, digest, model, functions and archives are wanted");
  }
  if (!is_unchanged(text, found[1])) {
    return fail(error, name, "its digest is another than it says: it was changed after it was built");
  }
  if (!has_digest(found[2], variant->model_digest) || !has_digest(found[3], variant->functions_digest)) {
    return fail(error, name, "it is of another library: open it with the one that was built with it");
  }
  *archives = found[4];
  return G2P_OK;
}

static g2p_status read_weights(const char *name, g2p_text archives, g2p_text file[3], uint64_t *size,
                               g2p_error *error) {
  static const char *const members[] = {"weights"}, *const fields[] = {"file", "sha256", "size"};
  g2p_text weights;
  if (!g2p_json_members(archives, members, 1, &weights) || !weights.size ||
      !g2p_json_members(weights, fields, 3, file) || !file[0].size || !file[1].size || !file[2].size) {
    return fail(error, name, "at archives.weights: file, sha256 and size are wanted");
  }
  if (!is_made_of(file[0], LETTERS ".+-", 1, 255) || strchr(".+-", file[0].data[1])) {
    return fail(error, name, "at archives.weights.file: a plain file name is wanted, without folders or leading dot");
  }
  if (!is_made_of(file[1], "0123456789abcdef", 64, 64)) {
    return fail(error, name, "at archives.weights.sha256: 64 hexadecimal digits are wanted");
  }
  if (!g2p_json_count(file[2], size) || !*size) {
    return fail(error, name, "at archives.weights.size: a positive integer is wanted");
  }
  return G2P_OK;
}

/* Bytes of a path up to the file's name. */
static size_t folder_of(const char *path) {
  size_t size = strlen(path);
  while (size && !strchr(SEPARATORS, path[size - 1])) {
    size--;
  }
  return size;
}

/* Whether a folder has a file of this name. The folder is given as seen from the manifest's, which `path` begins with. */
static bool is_there(char *path, size_t capacity, size_t at, const char *folder, g2p_text name) {
  size_t more = strlen(folder), size = name.size - 2;
  struct g2p_mapping mapping;
  if (at + more + size >= capacity) {
    return false;
  }
  memcpy(path + at, folder, more);
  memcpy(path + at + more, name.data + 1, size);
  path[at + more + size] = 0;
  if (g2p_map(path, &mapping, NULL)) {
    return false;
  }
  g2p_unmap(&mapping);
  return true;
}

g2p_status g2p_read_manifest(const struct g2p_variant *variant, const char *path, struct g2p_weights_file *weights,
                             g2p_error *error) {
  struct g2p_mapping mapping;
  g2p_text file[3];
  size_t folder = folder_of(path);
  g2p_status status = g2p_map(path, &mapping, error);
  if (status) {
    return status;
  }
  const char *name = path + folder;
  g2p_text archives;
  status = check(variant, name, (g2p_text){mapping.data, mapping.size}, &archives, error);
  if (!status) {
    status = read_weights(name, archives, file, &weights->size, error);
  }
  if (!status) {
    memcpy(weights->sha256, file[1].data + 1, 64);
    weights->sha256[64] = 0;
    size_t capacity = sizeof weights->path, at = folder < capacity ? folder : capacity;
    memcpy(weights->path, path, at);
    if (!is_there(weights->path, capacity, at, "", file[0]) &&
        !is_there(weights->path, capacity, at, "../dist/", file[0])) {
      g2p_text shown = {file[0].data + 1, file[0].size - 2};
      status = g2p_fail(error, G2P_NO_FILE,
                        "archive %t is neither beside %s nor in ../dist from it: build it, or copy "
                        "it there",
                        &shown, name);
    }
  }
  g2p_unmap(&mapping);
  return status;
}
