/* SHA-256 (FIPS 180-4), by the processor's own instructions where it has them. */
#include <string.h>

#include "core.h"

static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotate(uint32_t x, int by) { return x >> by | x << (32 - by); }

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

#define FAST "sha_ni"

/* Four rounds at a time; the instructions want the state as abef and cdgh. */
__attribute__((target("sha,sse4.1"))) static void compress_fast(uint32_t state[8], const uint8_t *data, size_t blocks) {
  const __m128i order = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  __m128i low = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xb1);
  __m128i high = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1b);
  __m128i abef = _mm_alignr_epi8(low, high, 8), cdgh = _mm_blend_epi16(high, low, 0xf0);
  for (; blocks; blocks--, data += 64) {
    __m128i w[4], first = abef, second = cdgh;
    for (int i = 0; i < 16; i++) {
      __m128i *now = &w[i & 3], newest = w[(i + 3) & 3];
      if (i < 4) {
        *now = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(data + 16 * i)), order);
      } else {
        __m128i sum = _mm_sha256msg1_epu32(*now, w[(i + 1) & 3]);
        *now = _mm_sha256msg2_epu32(_mm_add_epi32(sum, _mm_alignr_epi8(newest, w[(i + 2) & 3], 4)), newest);
      }
      __m128i sum = _mm_add_epi32(*now, _mm_loadu_si128((const __m128i *)(constants + 4 * i)));
      cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
      abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0e));
    }
    abef = _mm_add_epi32(abef, first);
    cdgh = _mm_add_epi32(cdgh, second);
  }
  low = _mm_shuffle_epi32(abef, 0x1b);
  high = _mm_shuffle_epi32(cdgh, 0xb1);
  _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(low, high, 0xf0));
  _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(high, low, 8));
}

#elif defined(__aarch64__) && defined(__clang__) && __clang_major__ >= 16 && (defined(__linux__) || defined(__APPLE__))

#include <arm_neon.h>

#define FAST "sha2"

__attribute__((target("sha2"))) static void compress_fast(uint32_t state[8], const uint8_t *data, size_t blocks) {
  uint32x4_t abcd = vld1q_u32(state), efgh = vld1q_u32(state + 4);
  for (; blocks; blocks--, data += 64) {
    uint32x4_t w[4], first = abcd, second = efgh;
    for (int i = 0; i < 16; i++) {
      uint32x4_t *now = &w[i & 3], before = abcd;
      if (i < 4) {
        *now = vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(data + 16 * i)));
      } else {
        *now = vsha256su1q_u32(vsha256su0q_u32(*now, w[(i + 1) & 3]), w[(i + 2) & 3], w[(i + 3) & 3]);
      }
      uint32x4_t sum = vaddq_u32(*now, vld1q_u32(constants + 4 * i));
      abcd = vsha256hq_u32(abcd, efgh, sum);
      efgh = vsha256h2q_u32(efgh, before, sum);
    }
    abcd = vaddq_u32(abcd, first);
    efgh = vaddq_u32(efgh, second);
  }
  vst1q_u32(state, abcd);
  vst1q_u32(state + 4, efgh);
}

#endif

static void compress_plain(uint32_t state[8], const uint8_t *block) {
  uint32_t w[64];
  for (int i = 0; i < 16; i++, block += 4) {
    w[i] = (uint32_t)block[0] << 24 | (uint32_t)block[1] << 16 | (uint32_t)block[2] << 8 | block[3];
  }
  for (int i = 16; i < 64; i++) {
    uint32_t x = w[i - 15], y = w[i - 2];
    w[i] = w[i - 16] + w[i - 7] + (rotate(x, 7) ^ rotate(x, 18) ^ x >> 3) + (rotate(y, 17) ^ rotate(y, 19) ^ y >> 10);
  }
  uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
  uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
  for (int i = 0; i < 64; i++) {
    uint32_t one = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) + constants[i] + w[i];
    uint32_t two = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + one;
    d = c, c = b, b = a, a = one + two;
  }
  uint32_t added[8] = {a, b, c, d, e, f, g, h};
  for (int i = 0; i < 8; i++) {
    state[i] += added[i];
  }
}

static void compress(struct g2p_sha256 *sha, const uint8_t *data, size_t blocks) {
#if defined(FAST)
  if (sha->fast) {
    compress_fast(sha->state, data, blocks);
    return;
  }
#endif
  for (; blocks; blocks--, data += 64) {
    compress_plain(sha->state, data);
  }
}

void g2p_sha256_begin(struct g2p_sha256 *sha) {
  static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  memcpy(sha->state, start, sizeof start);
  sha->size = 0;
#if defined(FAST)
  sha->fast = g2p_has_feature(FAST);
#else
  sha->fast = false;
#endif
}

void g2p_sha256_add(struct g2p_sha256 *sha, const void *data, size_t size) {
  const uint8_t *at = data;
  size_t held = sha->size % 64;
  if (!size) {
    return;
  }
  sha->size += size;
  if (held) {
    size_t taken = size < 64 - held ? size : 64 - held;
    memcpy(sha->block + held, at, taken);
    if (held + taken < 64) {
      return;
    }
    compress(sha, sha->block, 1);
    at += taken;
    size -= taken;
  }
  compress(sha, at, size / 64);
  memcpy(sha->block, at + size / 64 * 64, size % 64);
}

void g2p_sha256_end(struct g2p_sha256 *sha, char hex[65]) {
  static const uint8_t padding[64] = {0x80};
  uint64_t bits = sha->size * 8;
  uint8_t length[8];
  for (int i = 0; i < 8; i++) {
    length[i] = (uint8_t)(bits >> (56 - 8 * i));
  }
  g2p_sha256_add(sha, padding, 1 + (119 - sha->size % 64) % 64);
  g2p_sha256_add(sha, length, sizeof length);
  for (int i = 0; i < 64; i++) {
    hex[i] = "0123456789abcdef"[sha->state[i / 8] >> (28 - 4 * (i % 8)) & 15];
  }
  hex[64] = 0;
}
