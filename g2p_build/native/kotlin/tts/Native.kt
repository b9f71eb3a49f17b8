package tts.runtime

import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.charset.CharacterCodingException

/** The functions in C: `jni.c` says what their arrays hold. */
internal object Native {
  init {
    System.loadLibrary("tts")
  }

  @JvmStatic external fun open(path: ByteArray, threads: Int): ByteArray

  @JvmStatic external fun openDescriptor(file: Int, at: Long, length: Long, threads: Int): ByteArray

  @JvmStatic external fun openBytes(weights: ByteArray, threads: Int): ByteArray

  @JvmStatic external fun addVoices(handle: Long, path: ByteArray): ByteArray

  @JvmStatic external fun addVoicesDescriptor(handle: Long, file: Int, at: Long, length: Long): ByteArray

  @JvmStatic external fun addVoicesBytes(handle: Long, voices: ByteArray): ByteArray

  @JvmStatic external fun close(handle: Long)

  @JvmStatic external fun trim(handle: Long)

  @JvmStatic external fun flag(nothing: Int): Long

  @JvmStatic external fun raise(flag: Long)

  @JvmStatic external fun release(flag: Long)

  @JvmStatic external fun about(handle: Long): ByteArray

  @JvmStatic external fun voices(handle: Long): ByteArray

  @JvmStatic
  external fun begin(
    handle: Long,
    phonemes: ByteArray,
    shares: ByteArray,
    speed: Float,
    seed: Long,
    threads: Int,
    flags: Int,
    flag: Long,
  ): ByteArray

  @JvmStatic external fun next(utterance: Long): ByteArray

  @JvmStatic external fun end(utterance: Long)

  @JvmStatic
  external fun read(
    handle: Long,
    text: ByteArray,
    lang: ByteArray,
    words: Long,
    nextPart: Long,
    pronounce: Long,
    flag: Long,
  ): ByteArray
}

/**
 * What a function in C returned, behind the status that all is well.
 *
 * @param text what the error's place is a byte of; null where it names none.
 */
internal fun checked(returned: ByteArray, text: ByteArray? = null): ByteBuffer {
  val buffer = ByteBuffer.wrap(returned).order(ByteOrder.nativeOrder())
  val status = SpeechStatus.of(buffer.getInt())
  if (status == SpeechStatus.OK) return buffer
  val byte = buffer.getInt()
  val message = String(returned, buffer.position(), buffer.remaining(), Charsets.UTF_8)
  val place = if (byte < 0 || text == null) null else length(text, 0, byte)
  throw SpeechException(status, place, message)
}

internal fun ByteBuffer.text(): String {
  val size = getInt()
  val found = String(array(), position(), size, Charsets.UTF_8)
  position(position() + size)
  return found
}

/** How long a part of a text is as a string. */
internal fun length(text: ByteArray, start: Int, end: Int): Int = String(text, start, end - start, Charsets.UTF_8).length

/** UTF-8, and no question marks in place of half a surrogate pair. */
internal fun utf8(text: String): ByteArray =
  try {
    text.encodeToByteArray(throwOnInvalidSequence = true)
  } catch (error: CharacterCodingException) {
    throw SpeechException(SpeechStatus.INVALID_WORD, null, "half a surrogate pair is no character")
  }

/** Stops a call that it was given to, from any thread. */
internal class Flag : AutoCloseable {
  private var flag: Long = Native.flag(0).also { if (it == 0L) throw OutOfMemoryError() }

  internal val address: Long
    @Synchronized get() = flag

  @Synchronized
  internal fun raise() {
    if (flag != 0L) Native.raise(flag)
  }

  /** Frees it. No call that it was given to may be running. */
  @Synchronized
  override fun close() {
    if (flag != 0L) Native.release(flag)
    flag = 0
  }
}
