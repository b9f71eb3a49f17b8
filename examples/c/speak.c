/* Speaks a text into a WAV file. It needs nothing but the archives of a G2P variant and of a speech variant.
 *
 *   speak words.tar speech.tar voices.tar af_heart "Hello, world." out.wav
 *
 * Both libraries are linked. The first three files are weights, weights and voices: archives as they are, or what is in them. */
#include <stdio.h>
#include <string.h>

#include "g2p.h"
#include "tts.h"

struct sound {
  FILE *file;
  uint32_t rate, bytes;
};

static int failed(const g2p_error *error) {
  fprintf(stderr, "speak: %s\n", error->message);
  return 1;
}

static void put(FILE *file, uint32_t number, int bytes) {
  for (int i = 0; i < bytes; i++) fputc((int)(number >> 8 * i & 0xff), file);
}

/* What a WAV file begins with: one channel, 16 bits a sample. */
static void put_header(const struct sound *sound) {
  FILE *file = sound->file;
  fputs("RIFF", file);
  put(file, sound->bytes + 36, 4);
  fputs("WAVEfmt ", file);
  put(file, 16, 4);
  put(file, 1, 2);
  put(file, 1, 2);
  put(file, sound->rate, 4);
  put(file, 2 * sound->rate, 4);
  put(file, 2, 2);
  put(file, 16, 2);
  fputs("data", file);
  put(file, sound->bytes, 4);
}

/* Takes a piece of the sound as soon as it is made. */
static int take(void *user, const tts_piece *piece) {
  struct sound *sound = user;
  for (size_t i = 0; i < piece->samples_count; i++) {
    double above = piece->samples[i] * 32767.0 + 32768.5;
    put(sound->file, (uint32_t)(above < 0 ? 0 : above > 65535 ? 65535 : above) - 32768, 2);
  }
  sound->bytes += (uint32_t)piece->samples_count * 2;
  return ferror(sound->file);
}

int main(int count, char **arguments) {
  if (count != 7) {
    fprintf(stderr, "usage: %s WORDS SPEECH VOICES VOICE TEXT OUTPUT\n", arguments[0]);
    return 2;
  }
  g2p *words;
  tts *speech;
  g2p_error error;
  if (g2p_open(arguments[1], NULL, &words, &error)) return failed(&error);
  if (tts_open(arguments[2], NULL, &speech, &error)) return failed(&error);
  if (tts_add_voices(speech, arguments[3], &error)) return failed(&error);

  tts_text_request text = {.size = sizeof text,
                           .text = {arguments[5], strlen(arguments[5])},
                           .lang = "eng-us",
                           .g2p = words,
                           .next_part = g2p_next_part,
                           .pronounce = g2p_pronounce};
  g2p_text phonemes;
  if (tts_text(speech, &text, &phonemes, &error)) return failed(&error);

  struct sound sound = {fopen(arguments[6], "wb"), tts_limits(speech).sample_rate, 0};
  if (!sound.file) {
    perror(arguments[6]);
    return 1;
  }
  put_header(&sound);
  tts_request request = {.size = sizeof request, .phonemes = phonemes, .voice = arguments[4]};
  if (tts_speak(speech, &request, take, &sound, &error)) return failed(&error);
  rewind(sound.file);
  put_header(&sound); /* now with the length */
  if (fclose(sound.file)) return 1;

  tts_free_text(speech, &phonemes);
  tts_close(speech);
  g2p_close(words);
}
