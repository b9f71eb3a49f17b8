/* Runs a fuzz target without a fuzzer: its seeds, then so many mutations of them, the same ones for the same number.
 *
 *   FLAGS="-std=c11 -g -O1 -fno-sanitize-recover=all -I g2p_build/native/core -I g2p_build/native/g2p -I tests/core"
 *   PARTS="tests/core/made.c g2p_build/native/core/{error,json,memory,sha256,cpu,files,utf8,weights}.c g2p_build/native/g2p/text.c"  (weights: for its own)
 *   eval cc $FLAGS -fsanitize=address,undefined tests/core/fuzz_main.c tests/core/fuzz_weights.c $PARTS
 *   ./a.out 100000 1 tests/core/seeds/weights/plain
 *
 * The long round is libFuzzer's, which learns from the branches that an input takes; it takes this file's place:
 *
 *   eval clang $FLAGS -fsanitize=fuzzer,address,undefined tests/core/fuzz_weights.c $PARTS -o fuzz_weights
 *   mkdir corpus && ./fuzz_weights -max_total_time=3600 -max_len=8192 corpus tests/core/seeds/weights */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST = 16384, MOST_SEEDS = 64 };

static uint64_t state;

static size_t below(size_t bound) { /* xorshift64* */
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return bound ? (size_t)((state * 0x2545f4914f6cdd1d >> 33) % bound) : 0;
}

static size_t mutate(uint8_t *data, size_t size, const uint8_t *other, size_t other_size) {
  static const char *const tokens[] = {"\"",
                                       "{",
                                       "}",
                                       "[",
                                       "]",
                                       ",",
                                       ":",
                                       "\\u0000",
                                       "\\ud800",
                                       "0",
                                       "-0",
                                       "1e9",
                                       "null",
                                       "4294967296",
                                       "18446744073709551615",
                                       "340282366920938463463374607431768211456",
                                       "\xff",
                                       "\xc3",
                                       "\xe2\x80\xa8",
                                       "\xf0\x90\x8d\x88",
                                       " ",
                                       "\n",
                                       "_padding."};
  size_t at = below(size + 1), length = below(size - at + 1);
  switch (below(7)) {
    case 0: /* another byte */
      if (at < size) data[at] = (uint8_t)below(256);
      return size;
    case 1: /* another bit */
      if (at < size) data[at] ^= (uint8_t)(1u << below(8));
      return size;
    case 2: /* a piece is gone */
      length = below(length < 16 ? length + 1 : 17);
      memmove(data + at, data + at + length, size - at - length);
      return size - length;
    case 3: { /* a token more */
      const char *token = tokens[below(sizeof tokens / sizeof *tokens)];
      length = strlen(token);
      if (size + length > MOST) return size;
      memmove(data + at + length, data + at, size - at);
      memcpy(data + at, token, length);
      return size + length;
    }
    case 4: /* a piece twice */
      if (size + length > MOST) return size;
      memmove(data + at + length, data + at, size - at);
      return size + length;
    case 5: { /* a piece of another seed */
      size_t from = below(other_size + 1);
      length = below(other_size - from + 1);
      length = length < size - at ? length : size - at;
      memcpy(data + at, other + from, length);
      return size;
    }
    default: /* the end is gone; seldom, for much is lost with it */ return below(4) ? size : at;
  }
}

static void run(const uint8_t *data, size_t size) {
  uint8_t *copy = malloc(size); /* of the exact size: the sanitizer sees what is read beside it */
  if (size) memcpy(copy, data, size);
  LLVMFuzzerTestOneInput(copy, size);
  free(copy);
}

int main(int count, char **arguments) {
  static uint8_t seeds[MOST_SEEDS][MOST], data[MOST];
  static size_t sizes[MOST_SEEDS];
  if (count < 4 || count - 3 > MOST_SEEDS) {
    fprintf(stderr, "usage: %s ROUNDS NUMBER SEED_FILE...\n", arguments[0]);
    return 2;
  }
  size_t number = (size_t)count - 3;
  for (size_t i = 0; i < number; i++) {
    FILE *file = fopen(arguments[i + 3], "rb");
    if (!file) return 2;
    sizes[i] = fread(seeds[i], 1, MOST, file);
    fclose(file);
    run(seeds[i], sizes[i]);
  }
  state = strtoull(arguments[2], NULL, 10) * 0x9e3779b97f4a7c15 | 1;
  for (unsigned long long left = strtoull(arguments[1], NULL, 10); left; left--) {
    size_t i = below(number), j = below(number), size = sizes[i];
    memcpy(data, seeds[i], size);
    for (size_t times = 1 + below(4); times; times--) size = mutate(data, size, seeds[j], sizes[j]);
    run(data, size);
  }
  printf("%zu seeds and %s mutations\n", number, arguments[1]);
  return 0;
}
