/* What the glue calls of a virtual machine: four of the functions in the Java Native Interface's table, by their numbers.
 *
 * The header of the same name as the interface comes with the NDK or a JDK alone. */
#ifndef G2P_JVM_H
#define G2P_JVM_H

#include <stdint.h>

typedef struct jvm_object *jvm_bytes; /* a byte[] */
typedef const struct jvm_functions *const *jvm;

struct jvm_functions {
  void *before_length[171];
  int32_t (*length)(jvm machine, jvm_bytes array);
  void *before_create[4];
  jvm_bytes (*create)(jvm machine, int32_t size);
  void *before_get[23];
  void (*get)(jvm machine, jvm_bytes array, int32_t start, int32_t size, int8_t *to);
  void *before_set[7];
  void (*set)(jvm machine, jvm_bytes array, int32_t start, int32_t size, const int8_t *from);
};

#endif
