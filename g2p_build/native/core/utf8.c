/* One character of UTF-8, and whether it is white. */
#include "core.h"

/* The Unicode standard, table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF. */
size_t g2p_utf8(const char *at, const char *end, uint32_t *code) {
  unsigned char first = (unsigned char)*at;
  size_t size = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (!size || size > (size_t)(end - at)) {
    return 0;
  }
  uint32_t found = size == 1 ? first : first & (0x7fu >> size);
  for (size_t i = 1; i < size; i++) {
    unsigned char next = (unsigned char)at[i];
    if ((next & 0xc0) != 0x80) {
      return 0;
    }
    found = found << 6 | (next & 0x3f);
  }
  if ((size == 3 && (found < 0x800 || (found >= 0xd800 && found < 0xe000))) ||
      (size == 4 && (found < 0x10000 || found > 0x10ffff))) {
    return 0;
  }
  *code = found;
  return size;
}

bool g2p_is_white(uint32_t code) {
  return (code >= 0x09 && code <= 0x0d) || (code >= 0x1c && code <= 0x20) || code == 0x85 || code == 0xa0 ||
         code == 0x1680 || (code >= 0x2000 && code <= 0x200a) || code == 0x2028 || code == 0x2029 || code == 0x202f ||
         code == 0x205f || code == 0x3000;
}
