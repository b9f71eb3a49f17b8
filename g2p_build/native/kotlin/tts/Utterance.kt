package tts.runtime

import java.util.concurrent.locks.ReentrantLock
import kotlin.concurrent.withLock

/**
 * Phonemes that are being said: an iterator over pieces, each of which is made when it is asked for. [Speech.utterance] gives it.
 *
 * [close] it at the end or in the middle, from any thread: what is left of the work is not done.
 */
public class Utterance
internal constructor(
  private val speech: Speech,
  private var handle: Long, // 0 once it is ended
  private val flag: Flag,
  private val phonemes: String,
  private val said: ByteArray,
) : Iterator<Piece>, AutoCloseable {
  private val turn = ReentrantLock() // of what uses the handle
  private var reached = 0 // a byte of what is said, at which a character begins
  private var place = 0 // the index of that character
  private var isLast = false

  override fun hasNext(): Boolean = turn.withLock { handle != 0L && !isLast }

  /**
   * Makes the next piece.
   *
   * @throws SpeechException [SpeechStatus.CANCELLED] where it is closed meanwhile; or there is no memory.
   * @throws NoSuchElementException there is none.
   */
  @Throws(SpeechException::class)
  override fun next(): Piece =
    turn.withLock {
      if (!hasNext()) throw NoSuchElementException("the utterance is at its end, or closed")
      isLast = true // where this fails, nothing follows
      val buffer = checked(Native.next(handle))
      isLast = buffer.getInt() != 0
      val first = buffer.getLong()
      val count = buffer.getInt()
      val samples = FloatArray(buffer.getInt())
      val timings = List(count) { timing(buffer.getInt(), buffer.getLong(), buffer.getInt()) }
      buffer.asFloatBuffer().get(samples)
      Piece(first, samples, timings)
    }

  /** Ends it. Whoever calls waits for some hundredths of a second where a piece is in the making. */
  override fun close() {
    stop()
    turn.withLock {
      if (handle == 0L) return
      Native.end(handle)
      handle = 0
      flag.close()
      speech.letGo()
    }
  }

  /** Asks a piece that is in the making to stop. */
  internal fun stop() = flag.raise()

  /** The samples of all pieces that are left. */
  internal fun joined(): FloatArray {
    val pieces = asSequence().map { it.samples }.toList()
    val samples = FloatArray(pieces.sumOf { it.size })
    var at = 0
    for (piece in pieces) {
      piece.copyInto(samples, at)
      at += piece.size
    }
    return samples
  }

  private fun timing(byte: Int, first: Long, samples: Int): Timing {
    place += length(said, reached, byte)
    reached = byte
    return Timing(place, String(Character.toChars(phonemes.codePointAt(place))), first, samples)
  }
}
