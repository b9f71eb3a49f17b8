/* Which class each letter of a text is of. */
#ifndef LETTERS_H
#define LETTERS_H

#include "base.h"

#define LETTERS_API __attribute__((visibility("default")))

typedef struct g2p_variant letters_variant;

/* Writes the number of the class of each byte of a text. The variant may be NULL: the library's own. */
LETTERS_API g2p_status letters_classify(const char *weights, const letters_variant *variant, const char *text,
                                        int32_t *kinds, g2p_error *error);

/* The name of a class; NULL where there is none of that number. */
LETTERS_API const char *letters_class(const letters_variant *variant, int32_t kind);

#endif
