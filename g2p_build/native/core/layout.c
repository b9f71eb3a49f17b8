/* Whether a variant, a family's files and the core are of versions that know each other's structures. */
#include "core.h"

g2p_status g2p_check_variant(const struct g2p_variant *variant, uint32_t layout, g2p_error *error) {
  if (variant->layout == G2P_LAYOUT && layout == G2P_LAYOUT) return G2P_OK;
  return g2p_fail(error, G2P_UNSUPPORTED,
                  "the variant is of version %z, the library's interface of %z, the core that "
                  "was linked first of %d: build the libraries again, with one version",
                  (size_t)variant->layout, (size_t)layout, G2P_LAYOUT);
}
