/* Errors as one line of text, put together without stdio. */
#include <stdarg.h>
#include <string.h>

#include "core.h"

/* Room that is left for a line. */
struct line {
  char *at, *end;
};

/* All of it or nothing; after a piece that does not fit there is no room for another. */
static void put(struct line *line, const char *data, size_t size) {
  if (size > (size_t)(line->end - line->at)) {
    line->end = line->at;
    return;
  }
  memcpy(line->at, data, size);
  line->at += size;
}

/* Controls, what has no width and what changes the direction of the text around it. */
static bool printable(uint32_t code) {
  return code >= 0x20 && !(code >= 0x7f && code < 0xa0) && code != 0xad && !(code >= 0x200b && code < 0x2010) &&
         !(code >= 0x2028 && code < 0x202f) && !(code >= 0x2060 && code < 0x2070) && code != 0xfeff &&
         !(code >= 0xd800 && code < 0xf900) && !(code >= 0xfff0 && code < 0x10000) && code < 0xe0000;
}

static void put_number(struct line *line, uint64_t number, bool negative) {
  char digits[21];
  size_t at = sizeof digits;
  do {
    digits[--at] = (char)('0' + number % 10);
    number /= 10;
  } while (number);
  if (negative) {
    digits[--at] = '-';
  }
  put(line, digits + at, sizeof digits - at);
}

static void put_escaped(struct line *line, uint32_t code) {
  char escape[10] = {'\\', 'x'};
  int digits = code < 0x100 ? 2 : code < 0x10000 ? 4 : 8;
  escape[1] = digits == 2 ? 'x' : digits == 4 ? 'u' : 'U';
  for (int i = 0; i < digits; i++) {
    escape[2 + i] = "0123456789abcdef"[code >> (4 * (digits - 1 - i)) & 15];
  }
  put(line, escape, (size_t)digits + 2);
}

static void put_text(struct line *line, const char *at, const char *end) {
  while (at < end && line->at < line->end) {
    uint32_t code;
    size_t size = g2p_utf8(at, end, &code);
    if (size && printable(code)) {
      put(line, at, size);
    } else {
      put_escaped(line, size ? code : (unsigned char)*at);
    }
    at += size ? size : 1;
  }
}

/* Where `count` characters end that begin at `at`; a byte that is of no character counts as one. */
static const char *skip(const char *at, const char *end, int count) {
  for (uint32_t code; count > 0 && at < end; count--) {
    size_t size = g2p_utf8(at, end, &code);
    at += size ? size : 1;
  }
  return at;
}

/* The end of a text: its last `count` characters, of which it has more. */
static const char *tail_of(const char *end, int count) {
  for (uint32_t code; count > 0; count--) {
    size_t size = 1;
    while (size < 4 && g2p_utf8(end - size, end, &code) != size) {
      size++;
    }
    end -= g2p_utf8(end - size, end, &code) == size ? size : 1;
  }
  return end;
}

/* A text of more than `most` characters without its middle. */
static void put_short(struct line *line, g2p_text text, int most, int head, int tail) {
  const char *at = text.data, *end = at;
  if (text.size) {
    end = at + text.size;
    if (skip(at, end, most) < end) {
      put_text(line, at, skip(at, end, head));
      put(line, "...", 3);
      at = tail_of(end, tail);
    }
    put_text(line, at, end);
  }
}

g2p_status g2p_fail(g2p_error *error, g2p_status status, const char *format, ...) {
  if (!error) {
    return status;
  }
  struct line line = {error->message, error->message + sizeof error->message - 1};
  va_list values;
  va_start(values, format);
  for (const char *at = format; *at; at++) {
    if (*at != '%') {
      put(&line, at, 1);
      continue;
    }
    switch (*++at) {
      case 's': {
        const char *text = va_arg(values, const char *);
        put_short(&line, (g2p_text){text, strlen(text)}, 160, 40, 100); /* a path, most often */
        break;
      }
      case 't':
        put(&line, "'", 1);
        put_short(&line, *va_arg(values, const g2p_text *), 40, 24, 8);
        put(&line, "'", 1);
        break;
      case 'z': put_number(&line, va_arg(values, size_t), false); break;
      case 'd': {
        int number = va_arg(values, int);
        put_number(&line, number < 0 ? 0 - (uint64_t)number : (uint64_t)number, number < 0);
        break;
      }
      default: put(&line, at, 1);
    }
  }
  va_end(values);
  *line.at = 0;
  error->status = status;
  error->word = SIZE_MAX;
  return status;
}

void g2p_no_error(g2p_error *error) {
  if (!error) return;
  error->status = G2P_OK;
  error->word = SIZE_MAX;
  error->message[0] = 0;
}
