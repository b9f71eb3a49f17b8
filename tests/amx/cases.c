/* cases NAME: one case of the emulator, whose sums are known without it. It ends with 0, or with a line that says what
 * was otherwise. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <immintrin.h>

#define CHECK(condition) ((condition) ? (void)0 : (void)(printf("line %d: %s\n", __LINE__, #condition), failures++))

static _Thread_local int failures;

struct configuration {
  uint8_t palette, start, zero[14];
  uint16_t bytes[16];
  uint8_t rows[16];
};

/* Tiles 0 (sums), 1 (numbers) and 2 (weights) for `rows` rows of `quads` * 4 bytes, and `columns` columns. */
static void configure(int rows, int quads, int columns) {
  struct configuration given = {.palette = 1}, found;
  given.rows[0] = given.rows[1] = (uint8_t)rows, given.rows[2] = (uint8_t)quads;
  given.bytes[0] = given.bytes[2] = (uint16_t)(4 * columns), given.bytes[1] = (uint16_t)(4 * quads);
  _tile_loadconfig(&given);
  memset(&found, 0xff, sizeof found);
  _tile_storeconfig(&found);
  CHECK(memcmp(&given, &found, sizeof given) == 0);
}

static void known_sums(void) {
  const int8_t numbers[2][8] = {{1, 2, 3, 4, 0, 0, 0, -1}, {-1, 0, 0, 0, 0, 5, 0, 0}};
  const int8_t weights[2][3][4] = {{{10, 20, 30, 40}, {1, 1, 1, 1}, {-1, 0, 0, 0}},
                                   {{0, 2, 0, 3}, {0, -4, 0, 0}, {7, 7, 7, 100}}};
  const int32_t expected[2][3] = {{300 - 3, 10, -1 - 100}, {-10 + 10, -1 - 20, 1 + 35}};
  int32_t found[2][3];
  configure(2, 2, 3);
  _tile_zero(0);
  _tile_loadd(1, numbers, 8);
  _tile_stream_loadd(2, weights, 12);
  _tile_dpbssd(0, 1, 2);
  _tile_stored(0, found, 12);
  CHECK(memcmp(found, expected, sizeof found) == 0);
  _tile_dpbssd(0, 1, 2); /* it adds */
  _tile_stored(0, found, 12);
  for (int i = 0; i < 6; i++) CHECK(found[i / 3][i % 3] == 2 * expected[i / 3][i % 3]);
  _tile_release();
}

static void signs_and_the_greatest_numbers(void) {
  uint8_t numbers[16][64], weights[16][64];
  int32_t found[16][16];
  const int32_t expected[4] = {64 * 128 * 128, 64 * -128 * 128, 64 * 128 * -128, 64 * 128 * 128};
  memset(numbers, 0x80, sizeof numbers);
  memset(weights, 0x80, sizeof weights);
  configure(16, 16, 16);
  for (int way = 0; way < 4; way++) {
    _tile_zero(0);
    _tile_loadd(1, numbers, 64);
    _tile_loadd(2, weights, 64);
    if (way == 0) _tile_dpbssd(0, 1, 2);
    if (way == 1) _tile_dpbsud(0, 1, 2);
    if (way == 2) _tile_dpbusd(0, 1, 2);
    if (way == 3) _tile_dpbuud(0, 1, 2);
    _tile_stored(0, found, 64);
    for (int i = 0; i < 256; i++) CHECK(found[i / 16][i % 16] == expected[way]);
  }
  const int8_t one[1][4] = {{1, 0, 0, 0}};
  int32_t most[1][1] = {{INT32_MAX}};
  configure(1, 1, 1);
  _tile_loadd(0, most, 4);
  _tile_loadd(1, one, 4);
  _tile_loadd(2, one, 4);
  _tile_dpbssd(0, 1, 2); /* it wraps round */
  _tile_stored(0, most, 4);
  CHECK(most[0][0] == INT32_MIN);
  _tile_release();
}

/* Memory between a tile's rows, and behind them, is neither read nor written; what a tile lacks is zero. */
static void strides(void) {
  uint8_t memory[16 * 100], found[16 * 100];
  for (size_t i = 0; i < sizeof memory; i++) memory[i] = (uint8_t)(i * 7 + 3);
  memset(found, 0xee, sizeof found);
  configure(3, 2, 2);
  _tile_loadd(1, memory + 200, -100); /* a stride may be negative */
  _tile_stored(1, found + 5, 50);
  for (int i = 0; i < (int)sizeof found; i++) {
    int row = (i - 5) / 50, column = (i - 5) % 50, inside = i >= 5 && row < 3 && column < 8;
    CHECK(found[i] == (inside ? memory[200 - 100 * row + column] : 0xee));
  }
  memset(found, 0xee, sizeof found);
  _tile_zero(1);
  _tile_stored(1, found, 8);
  for (int i = 0; i < 24; i++) CHECK(found[i] == 0);
  CHECK(found[24] == 0xee);
  _tile_release();
}

/* The same bytes by every way to write an address: registers of both halves, scales, displacements of 8 and 32 bits. */
static void addresses(void) {
  uint8_t memory[4096], found[64];
  for (size_t i = 0; i < sizeof memory; i++) memory[i] = (uint8_t)(i * 11 + i / 256);
  configure(2, 4, 1);
  const long step = 16;
#define LOADED(text, start, base, index)                                                                               \
  __asm__ volatile(text::[base] "r"(memory + 1024), [index] "r"(step) : "r8", "r9", "r13", "rax", "memory");           \
  _tile_stored(1, found, 32);                                                                                          \
  CHECK(memcmp(found, memory + (start), 16) == 0)
  LOADED("tileloadd (%[base],%[index],1), %%tmm1", 1024, base, index);
  CHECK(memcmp(found + 32, memory + 1024 + 16, 16) == 0);
  LOADED("tileloadd 0x40(%[base],%[index],4), %%tmm1", 1024 + 64, base, index);
  CHECK(memcmp(found + 32, memory + 1024 + 64 + 64, 16) == 0);
  LOADED("tileloadd -0x200(%[base],%[index],8), %%tmm1", 512, base, index);
  CHECK(memcmp(found + 32, memory + 512 + 128, 16) == 0);
  LOADED("mov %[base], %%r13\n mov %[index], %%r9\n tileloadd (%%r13,%%r9,2), %%tmm1", 1024, base, index);
  CHECK(memcmp(found + 32, memory + 1024 + 32, 16) == 0);
  LOADED("mov %[base], %%r8\n mov %[index], %%rax\n tileloadd 3(%%r8,%%rax,1), %%tmm1", 1027, base, index);
  CHECK(memcmp(found + 32, memory + 1027 + 16, 16) == 0);
  LOADED("mov %[base], %%r8\n tileloadd (%%r8), %%tmm1", 1024, base, index); /* without an index: a stride of 0 */
  CHECK(memcmp(found + 32, memory + 1024, 16) == 0);
  static const struct configuration three = {.palette = 1, .rows = {[3] = 1}, .bytes = {[3] = 4}};
  struct configuration held;
  __asm__ volatile("ldtilecfg %0" ::"m"(three)); /* relative to the instruction */
  _tile_storeconfig(&held);
  CHECK(memcmp(&held, &three, sizeof held) == 0);
  _tile_release();
}

static void *another(void *place) {
  struct configuration found;
  _tile_storeconfig(&found);
  CHECK(found.palette == 0); /* what the first thread has is not this one's */
  configure(16, 16, 16);
  _tile_zero(1);
  int8_t numbers[16][64];
  memset(numbers, 1, sizeof numbers);
  _tile_loadd(1, numbers, 64);
  _tile_release();
  *(int *)place = failures;
  return NULL;
}

static void threads(void) {
  const uint8_t numbers[2][8] = {{1, 2, 3, 4, 5, 6, 7, 8}, {9, 10, 11, 12, 13, 14, 15, 16}};
  uint8_t found[2][8];
  pthread_t thread;
  int theirs = -1;
  configure(2, 2, 2);
  _tile_loadd(1, numbers, 8);
  CHECK(pthread_create(&thread, NULL, another, &theirs) == 0 && pthread_join(thread, NULL) == 0);
  _tile_stored(1, found, 8);
  CHECK(theirs == 0 && memcmp(found, numbers, sizeof found) == 0);
  _tile_release();
}

static void released_tiles(void) {
  configure(2, 2, 2);
  _tile_release();
  _tile_zero(0);
}

static void a_tile_that_is_not_configured(void) {
  configure(2, 2, 2);
  _tile_zero(5);
}

static void one_tile_twice(void) {
  configure(16, 16, 16);
  __asm__ volatile(".byte 0xc4, 0xe2, 0x73, 0x5e, 0xc1"); /* tdpbssd tmm0, tmm1, tmm1: no assembler writes it */
}

static void tiles_that_do_not_fit(void) {
  configure(2, 3, 2);
  _tile_dpbssd(0, 2, 1);
}

static void too_many_rows(void) { configure(17, 2, 2); }

int main(int count, char **arguments) {
  syscall(SYS_arch_prctl, 0x1023, 18); /* asks for tiles; where there are none, they are emulated */
  static const struct {
    const char *name;
    void (*run)(void);
  } cases[] = {{"known_sums", known_sums},
               {"signs_and_the_greatest_numbers", signs_and_the_greatest_numbers},
               {"strides", strides},
               {"addresses", addresses},
               {"threads", threads},
               {"released_tiles", released_tiles},
               {"a_tile_that_is_not_configured", a_tile_that_is_not_configured},
               {"one_tile_twice", one_tile_twice},
               {"tiles_that_do_not_fit", tiles_that_do_not_fit},
               {"too_many_rows", too_many_rows}};
  for (size_t i = 0; count == 2 && i < sizeof cases / sizeof *cases; i++) {
    if (strcmp(arguments[1], cases[i].name) == 0) {
      cases[i].run();
      return failures ? 1 : 0;
    }
  }
  return 2;
}
