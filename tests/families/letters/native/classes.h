/* What model.inc defines. */
#ifndef LETTERS_CLASSES_H
#define LETTERS_CLASSES_H

#include <stdint.h>

struct letters_model {
  int32_t most, count;
  const char *const *classes;
};

#endif
