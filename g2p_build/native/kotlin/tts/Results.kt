package tts.runtime

/** Why a call failed. */
public enum class SpeechStatus(internal val number: Int) {
  OK(0),
  CANCELLED(1),
  NO_MEMORY(2),
  INVALID_ARGUMENT(3),

  /** There is no phoneme to speak. */
  EMPTY_WORD(4),

  /** Half a surrogate pair, or a control character in a text's word. */
  INVALID_WORD(5),
  WORD_TOO_LONG(6),
  UNKNOWN_LANGUAGE(7),
  TOO_SMALL(8),
  NO_FILE(9),
  INVALID_WEIGHTS(10),
  UNSUPPORTED_CPU(14),
  UNSUPPORTED(15),

  /** A text has a number, or a word with a character or a phoneme that is not its language's. */
  FOREIGN_CHARACTER(16),

  /** A character that the model has no symbol for. */
  UNKNOWN_PHONEME(19),
  UNKNOWN_VOICE(20),
  INVALID_VOICES(21),

  /** One that a newer library has. */
  OTHER(-1);

  internal companion object {
    fun of(number: Int): SpeechStatus = entries.firstOrNull { it.number == number } ?: OTHER
  }
}

/**
 * What went wrong. The message is one line, for the person at the keyboard.
 *
 * @property status why.
 * @property place the index in the phonemes of the character that is wrong, or in the text of the word or number; null where it
 *   is none of them.
 */
public class SpeechException(public val status: SpeechStatus, public val place: Int?, message: String) : Exception(message)

/**
 * What a model takes and gives.
 *
 * @property symbols that a piece of an utterance may have. Longer phonemes are split.
 * @property sampleRate of the sound, in hertz.
 * @property frame samples of a frame: each character lasts whole frames.
 * @property slowest the least speed.
 * @property fastest the greatest.
 */
public data class Limits(
  val symbols: Int,
  val sampleRate: Int,
  val frame: Int,
  val slowest: Float,
  val fastest: Float,
)

/**
 * Where a character of the phonemes is in the sound.
 *
 * @property place its index in the phonemes.
 * @property symbol the character.
 * @property first its first sample, of the utterance.
 * @property samples how many it has.
 */
public data class Timing(val place: Int, val symbol: String, val first: Long, val samples: Int)

/**
 * A piece of an utterance. The pieces' samples, one behind the other, are the utterance.
 *
 * @property first its first sample, of the utterance.
 * @property samples from -1 to 1, one channel.
 * @property timings of its characters, in their order. Before the first and behind the last is some silence.
 */
public class Piece internal constructor(
  public val first: Long,
  public val samples: FloatArray,
  public val timings: List<Timing>,
)
