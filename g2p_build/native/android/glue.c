/* Bytes that go to a virtual machine and come from it, and files whose content an app's package holds. */
#define _GNU_SOURCE
#include "glue.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core.h"

void jvm_put(struct jvm_buffer *buffer, const void *data, size_t size) {
  if (buffer->failed) return;
  if (buffer->room - buffer->size < size) {
    size_t room = (buffer->room + size) * 2;
    char *larger = malloc(room);
    if (!larger) {
      buffer->failed = 1;
      return;
    }
    if (buffer->size) memcpy(larger, buffer->data, buffer->size);
    free(buffer->data);
    buffer->data = larger;
    buffer->room = room;
  }
  if (size) memcpy(buffer->data + buffer->size, data, size);
  buffer->size += size;
}

void jvm_put_number(struct jvm_buffer *buffer, int32_t number) { jvm_put(buffer, &number, sizeof number); }

void jvm_put_text(struct jvm_buffer *buffer, g2p_text text) {
  jvm_put_number(buffer, (int32_t)text.size);
  jvm_put(buffer, text.data, text.size);
}

struct jvm_buffer jvm_good(void) {
  struct jvm_buffer buffer = {0};
  jvm_put_number(&buffer, G2P_OK);
  return buffer;
}

struct jvm_buffer jvm_bad(const g2p_error *error) {
  struct jvm_buffer buffer = {0};
  jvm_put_number(&buffer, (int32_t)error->status);
  jvm_put_number(&buffer, error->word > INT32_MAX ? -1 : (int32_t)error->word);
  jvm_put(&buffer, error->message, strlen(error->message));
  return buffer;
}

struct jvm_buffer jvm_wrong(g2p_status status, const char *message) {
  g2p_error error;
  g2p_fail(&error, status, "%s", message);
  return jvm_bad(&error);
}

struct jvm_buffer jvm_no_memory(void) { return jvm_wrong(G2P_NO_MEMORY, "there is no memory left"); }

jvm_bytes jvm_given(jvm machine, struct jvm_buffer buffer) {
  if (buffer.failed || buffer.size > INT32_MAX) {
    free(buffer.data);
    buffer = buffer.failed ? jvm_no_memory()
                           : jvm_wrong(G2P_NO_MEMORY, "2 GB of results do not fit into an array: ask for less");
  }
  jvm_bytes array = buffer.failed ? NULL : (*machine)->create(machine, (int32_t)buffer.size);
  if (array) (*machine)->set(machine, array, 0, (int32_t)buffer.size, (const int8_t *)buffer.data);
  free(buffer.data);
  return array;
}

char *jvm_taken(jvm machine, jvm_bytes array, size_t *size) {
  int32_t length = (*machine)->length(machine, array);
  char *copy = malloc((size_t)length + 1);
  if (!copy) return NULL;
  (*machine)->get(machine, array, 0, length, (int8_t *)copy);
  copy[length] = 0;
  *size = (size_t)length;
  return copy;
}

/* Memory of its own for a content, of at least a byte. */
static g2p_status make_room(size_t size, struct jvm_content *content, g2p_error *error) {
  size_t room = size ? size : 1;
  void *memory = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return g2p_fail(error, G2P_NO_MEMORY, "no memory for a file of %z bytes", size);
  *content = (struct jvm_content){memory, size, memory, room};
  return G2P_OK;
}

g2p_status jvm_copied(jvm machine, jvm_bytes array, struct jvm_content *content, g2p_error *error) {
  int32_t size = (*machine)->length(machine, array);
  g2p_status status = make_room((size_t)size, content, error);
  if (status == G2P_OK) (*machine)->get(machine, array, 0, size, content->memory);
  return status;
}

g2p_status jvm_mapped(int32_t file, int64_t at, int64_t length, struct jvm_content *content, g2p_error *error) {
  struct stat found;
  if (at < 0 || length < 0 || fstat(file, &found) || found.st_size < at || found.st_size - at < length)
    return g2p_fail(error, G2P_NO_FILE, "the asset cannot be read to its end");
  size_t size = (size_t)length, before = (size_t)(at % sysconf(_SC_PAGESIZE));
  void *memory = MAP_FAILED;
  if (size && before % 64 == 0) memory = mmap(NULL, before + size, PROT_READ, MAP_PRIVATE, file, at - (int64_t)before);
  if (memory != MAP_FAILED) {
    *content = (struct jvm_content){(char *)memory + before, size, memory, before + size};
    return G2P_OK;
  }
  g2p_status status = make_room(size, content, error);
  for (size_t read = 0; status == G2P_OK && read < size;) {
    ssize_t more = pread(file, (char *)content->memory + read, size - read, at + (int64_t)read);
    if (more <= 0) {
      jvm_free(content);
      return g2p_fail(error, G2P_NO_FILE, "the asset cannot be read to its end");
    }
    read += (size_t)more;
  }
  return status;
}

void jvm_free(const struct jvm_content *content) {
  if (content->memory) munmap(content->memory, content->memory_size);
}

int64_t jvm_flag(void) {
  int32_t *flag = malloc(sizeof *flag);
  if (flag) *flag = 0;
  return (int64_t)(intptr_t)flag;
}
