package g2p.runtime

import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.charset.CharacterCodingException

/** The functions in C: `jni.c` says what their arrays hold. */
internal object Native {
  init {
    System.loadLibrary("g2p")
  }

  @JvmStatic external fun open(path: ByteArray, flags: Int, threads: Int): ByteArray

  @JvmStatic external fun openDescriptor(file: Int, at: Long, length: Long, flags: Int, threads: Int): ByteArray

  @JvmStatic external fun openBytes(weights: ByteArray, flags: Int, threads: Int): ByteArray

  @JvmStatic external fun close(handle: Long)

  @JvmStatic external fun flag(nothing: Int): Long

  @JvmStatic external fun raise(flag: Long)

  @JvmStatic external fun release(flag: Long)

  @JvmStatic
  external fun results(
    handle: Long,
    words: ByteArray,
    count: Int,
    lang: ByteArray,
    flags: Int,
    threads: Int,
    flag: Long,
  ): ByteArray

  @JvmStatic
  external fun best(
    handle: Long,
    words: ByteArray,
    count: Int,
    lang: ByteArray,
    flags: Int,
    threads: Int,
    flag: Long,
    most: Int,
    beams: Int,
    early: Int,
  ): ByteArray

  @JvmStatic external fun language(handle: Long, tag: ByteArray): ByteArray

  @JvmStatic external fun cacheWords(handle: Long, words: Int): ByteArray

  @JvmStatic external fun addLexicon(handle: Long, lines: ByteArray, lang: ByteArray): ByteArray

  @JvmStatic external fun parts(text: ByteArray): ByteArray

  @JvmStatic external fun about(handle: Long): ByteArray

  @JvmStatic external fun lent(handle: Long): ByteArray
}

/** What a function in C returned, behind the status that all is well. */
internal fun checked(returned: ByteArray): ByteBuffer {
  val buffer = ByteBuffer.wrap(returned).order(ByteOrder.nativeOrder())
  val status = Status.of(buffer.getInt())
  if (status == Status.OK) return buffer
  val word = buffer.getInt()
  val message = String(returned, buffer.position(), buffer.remaining(), Charsets.UTF_8)
  throw G2PException(status, if (word < 0) null else word, message)
}

internal fun ByteBuffer.text(): String {
  val size = getInt()
  val found = String(array(), position(), size, Charsets.UTF_8)
  position(position() + size)
  return found
}

/** UTF-8, and no question marks in place of half a surrogate pair. */
internal fun utf8(text: String, word: Int? = null): ByteArray =
  try {
    text.encodeToByteArray(throwOnInvalidSequence = true)
  } catch (error: CharacterCodingException) {
    throw G2PException(Status.INVALID_WORD, word, "half a surrogate pair is no character")
  }
