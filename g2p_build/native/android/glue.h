/* What the functions that a virtual machine calls have in common, whatever the family.
 *
 * What they return is a byte[] in the machine's byte order: a status, and then what was asked for. With another status
 * than G2P_OK: the error's word, or -1, and one line of UTF-8. NULL: the virtual machine has no memory, and throws. Texts come as
 * UTF-8, because the interface's own strings are another encoding. */
#ifndef G2P_GLUE_H
#define G2P_GLUE_H

#include <stddef.h>
#include <stdint.h>

#include "base.h"
#include "jvm.h"

#define JVM_NATIVE(result, name, ...)                                                                                  \
  __attribute__((visibility("default"))) result name(jvm machine, void *class, __VA_ARGS__);                           \
  result name(jvm machine, void *class, __VA_ARGS__)

/* Bytes that grow. `failed` once there was no memory, and from then on nothing is written. */
struct jvm_buffer {
  char *data;
  size_t size, room;
  int failed;
};

void jvm_put(struct jvm_buffer *buffer, const void *data, size_t size);
void jvm_put_number(struct jvm_buffer *buffer, int32_t number);
void jvm_put_text(struct jvm_buffer *buffer, g2p_text text);

struct jvm_buffer jvm_good(void);                                    /* that what follows was asked for */
struct jvm_buffer jvm_bad(const g2p_error *error);                   /* what went wrong */
struct jvm_buffer jvm_wrong(g2p_status status, const char *message); /* the same */
struct jvm_buffer jvm_no_memory(void);

/* Hands a buffer over to the virtual machine. */
jvm_bytes jvm_given(jvm machine, struct jvm_buffer buffer);

/* A copy of an array, with a zero behind it; to be freed. NULL where there is no memory. */
char *jvm_taken(jvm machine, jvm_bytes array, size_t *size);

/* A file's content in memory of our own, at a multiple of 64 bytes. */
struct jvm_content {
  const char *data;
  size_t size;
  void *memory; /* around it */
  size_t memory_size;
};

g2p_status jvm_copied(jvm machine, jvm_bytes array, struct jvm_content *content, g2p_error *error);

/* Maps a part of a file, or reads it: an app's package holds its assets at multiples of 4 bytes. */
g2p_status jvm_mapped(int32_t file, int64_t at, int64_t length, struct jvm_content *content, g2p_error *error);

void jvm_free(const struct jvm_content *content); /* no content is nothing */

/* A flag that stops a call; 0 where there is no memory. To be freed. */
int64_t jvm_flag(void);

#endif
