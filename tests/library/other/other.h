/* A second family of models, as small as one can be: it adds up what an encoder says of some ids. */
#ifndef OTHER_H
#define OTHER_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

#define OTHER_API __attribute__((visibility("default")))

typedef struct g2p_variant other_variant;

/* The variant may be NULL: that of the library that was linked first. */
OTHER_API g2p_status other_sum(const char *weights, const other_variant *variant, const int32_t *ids, int32_t count,
                               double *sum, g2p_error *error);

#ifdef __cplusplus
}
#endif
#endif
