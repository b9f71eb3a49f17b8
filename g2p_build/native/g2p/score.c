/* Without a mathematical library: a WebAssembly module has none. Errors are below 1e-12, which a test holds against the
 * C library's functions. */
#include "score.h"

#include <string.h>

static const double LN2_HIGH = 0x1.62e42fee00000p-1, LN2_LOW = 0x1.a39ef35793c76p-33; /* their sum is ln 2 */

static double power_of_two(int exponent) { /* -1022 to 1023 */
  uint64_t bits = (uint64_t)(exponent + 1023) << 52;
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/* e^x for x of 0 or less. */
static double exponential(double x) {
  static const double inverse[] = {/* of the factorials of 12 down to 2 */
                                   1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880,
                                   1.0 / 40320,     1.0 / 5040,     1.0 / 720,     1.0 / 120,
                                   1.0 / 24,        1.0 / 6,        1.0 / 2};
  if (!(x > -700)) return 0;
  int halves = (int)(x * 1.4426950408889634 - 0.5); /* rounded: x = halves * ln 2 + r, |r| <= ln 2 / 2 */
  double r = x - halves * LN2_HIGH - halves * LN2_LOW, sum = inverse[0];
  for (size_t i = 1; i < sizeof inverse / sizeof *inverse; i++) sum = sum * r + inverse[i];
  return (1 + r + sum * r * r) * power_of_two(halves);
}

/* ln y for y of 1 or more. */
static double logarithm(double y) {
  uint64_t bits;
  memcpy(&bits, &y, sizeof bits);
  int exponent = (int)(bits >> 52) - 1023;
  double m = y * power_of_two(-exponent); /* 1 to 2 */
  if (m > 1.4142135623730951) {
    m /= 2;
    exponent++;
  }
  double s = (m - 1) / (m + 1), square = s * s, sum = 0;
  for (int i = 19; i > 0; i -= 2) sum = sum * square + 1.0 / i;
  return 2 * s * sum + exponent * LN2_LOW + exponent * LN2_HIGH;
}

double g2p_log_probability(const float *logits, size_t count, int32_t greatest) {
  double sum = 0;
  for (size_t i = 0; i < count; i++) sum += exponential((double)logits[i] - (double)logits[greatest]);
  return -logarithm(sum);
}
