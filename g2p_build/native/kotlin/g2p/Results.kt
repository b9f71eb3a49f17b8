package g2p.runtime

/** Why a call failed, or what is wrong with a word. */
public enum class Status(internal val number: Int) {
  OK(0),
  CANCELLED(1),
  NO_MEMORY(2),
  INVALID_ARGUMENT(3),
  EMPTY_WORD(4),
  INVALID_WORD(5),
  WORD_TOO_LONG(6),
  UNKNOWN_LANGUAGE(7),
  TOO_SMALL(8),
  NO_FILE(9),
  INVALID_WEIGHTS(10),
  INVALID_MANIFEST(11),
  NEWER_MANIFEST(12),
  WRONG_DIGEST(13),
  UNSUPPORTED_CPU(14),
  UNSUPPORTED(15),
  FOREIGN_CHARACTER(16),
  INVALID_LEXICON(17),
  INVALID_DRAFT(18),

  /** One that a newer library has. */
  OTHER(-1);

  internal companion object {
    fun of(number: Int): Status = entries.firstOrNull { it.number == number } ?: OTHER
  }
}

/**
 * What went wrong. The message is one line, for the person at the keyboard.
 *
 * @property status why.
 * @property word which of the words, from 0; null where it was none of them.
 */
public class G2PException(public val status: Status, public val word: Int?, message: String) : Exception(message)

/** Where a pronunciation comes from. */
public enum class Source {
  MODEL,

  /** A table that came with the weights. */
  LEXICON,

  /** A list that the app added. */
  USER,

  /** A word in capitals, spelled by the names of its letters. */
  LETTERS,
}

/**
 * One word, pronounced.
 *
 * @property word as it was given.
 * @property phonemes empty where the status is not OK.
 * @property status what is wrong with the word; OK where nothing is.
 * @property message one line where the status is not OK; else empty.
 * @property isTruncated the bound was reached, and the model had not ended the word.
 * @property repeats the pronunciation ends in one part again and again, at least four times.
 * @property score mean natural log-probability, where it was asked for, as always by a search; 0 where the model was not asked.
 */
public data class Pronunciation(
  val word: String,
  val phonemes: String,
  val source: Source,
  val status: Status,
  val message: String,
  val isTruncated: Boolean,
  val repeats: Boolean,
  val score: Float,
)

/** What a part of a text is. */
public enum class Kind {
  WORD,

  /** Has a digit and no letter: to be written out by the app, in the words of the language. */
  NUMBER,
  SPACE,
  OTHER,
}

/**
 * A part of a text.
 *
 * @property text as it was given: all parts together are the text.
 * @property result of a word; null for other parts.
 */
public data class Part(val text: String, val kind: Kind, val result: Pronunciation?)
