/* Any bytes as a manifest: a status. How to run it: fuzz_main.c.
 *
 * Hardly any input has its own digest, so what is read after that check is run on every object too. */
#include <stdlib.h>

#include "manifest.c"
#include "made.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const members[] = {"digest", "archives"};
  g2p_text text = {(const char *)data, size}, archives, file[3], found[2];
  g2p_error error;
  uint64_t bytes;
  g2p_status status = check(&made_variant, "m.json", text, &archives, &error);
  if (status != G2P_OK && status != G2P_INVALID_MANIFEST && status != G2P_NEWER_MANIFEST) {
    abort();
  }
  if (!g2p_json_check(text, &text) || !g2p_json_members(text, members, 2, found)) {
    return 0;
  }
  if (found[0].size) {
    is_unchanged(text, found[0]);
  }
  if (found[1].size && read_weights("m.json", found[1], file, &bytes, &error) == G2P_OK) {
    char path[4096] = "no-such-folder/";
    is_there(path, sizeof path, 15, "../dist/", file[0]);
  }
  return 0;
}
