package tts.runtime

import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder

/**
 * A model that makes sound of phonemes. Any number of threads may use it at the same time.
 *
 * Its functions compute, for a tenth of a second or more, and leave the calling thread no time: on the main thread take [speak] and
 * the suspending ones (`awaitSay`), which need kotlinx-coroutines.
 */
public class Speech internal constructor(returned: ByteArray) : AutoCloseable {
  private val handle: Long = checked(returned).getLong()
  private var users = 1 // itself until it is closed, and what it says
  private var isOpen = true

  /** Bounds of what it takes and gives. */
  public val limits: Limits

  /** The codes of the languages whose texts [read] takes. */
  public val languages: List<String>

  /** What the model is, as a JSON object: name, target, symbols, languages. */
  public val info: String

  init {
    val buffer = checked(Native.about(handle))
    limits = buffer.run { Limits(getInt(), getInt(), getInt(), getFloat(), getFloat()) }
    languages = List(buffer.getInt()) { buffer.text() }
    info = buffer.text()
  }

  /** The names of the voices. */
  public val voices: List<String>
    get() {
      val buffer = checked(holding { Native.voices(it) })
      return String(buffer.array(), buffer.position(), buffer.remaining(), Charsets.UTF_8).split('\u0000').dropLast(1)
    }

  /**
   * Adds the voices of a file, which is mapped and must stay as it is. A name that is there already stays what it was.
   *
   * @throws SpeechException it is not there, or not of this model.
   */
  @Synchronized
  @Throws(SpeechException::class)
  public fun addVoices(voices: File) {
    checked(holding { Native.addVoices(it, utf8(voices.path)) })
  }

  /** As [addVoices], of voices in memory, which are copied. */
  @Synchronized
  @Throws(SpeechException::class)
  public fun addVoices(voices: ByteArray) {
    checked(holding { Native.addVoicesBytes(it, voices) })
  }

  @Synchronized
  internal fun addVoices(file: Int, at: Long, length: Long) {
    checked(holding { Native.addVoicesDescriptor(it, file, at, length) })
  }

  /**
   * Begins to say phonemes, piece by piece, each made when it is asked for. Close what this gives.
   *
   * Long phonemes are split at the ends of sentences, at other punctuation, at spaces. The same phonemes, voices, speed and seed
   * give the same samples, on any number of threads.
   *
   * @param phonemes what to say, with spaces and punctuation.
   * @param voice one of [voices].
   * @param mix in place of a voice up to 8 of them, each with its share. Shares are taken in proportion.
   * @param speed 2 is twice as fast: see [limits].
   * @param seed of the noise that a voice is made of. Its 64 bits count, without a sign.
   * @param early whether the first piece ends as soon as it may, so that it is there sooner.
   * @param skipUnknown whether characters that the model has no symbol for are left out.
   * @param threads how many to use; 0: as many as the model was opened with.
   * @throws SpeechException a character has no symbol, and the exception has its place; or an argument is none that there is.
   */
  @JvmOverloads
  @Throws(SpeechException::class)
  public fun utterance(
    phonemes: String,
    voice: String? = null,
    mix: Map<String, Float>? = null,
    speed: Float = 1f,
    seed: Long = 0,
    early: Boolean = false,
    skipUnknown: Boolean = false,
    threads: Int = 0,
  ): Utterance {
    val said = utf8(phonemes)
    val shares = shares(voice, mix)
    if (!(speed >= limits.slowest && speed <= limits.fastest)) {
      throw invalid("speed is $speed: give ${limits.slowest} to ${limits.fastest}")
    }
    if (threads < 0 || threads > MOST_THREADS) throw invalid("threads is $threads: give 0 to $MOST_THREADS")
    val flags = (if (skipUnknown) SKIP_UNKNOWN else 0) or (if (early) EARLY else 0)
    val flag = Flag()
    val taken = take()
    try {
      val begun = Native.begin(taken, said, shares, speed, seed, threads, flags, flag.address)
      return Utterance(this, placed(phonemes) { checked(begun, said) }.getLong(), flag, phonemes, said)
    } catch (error: Throwable) {
      flag.close()
      letGo()
      throw error
    }
  }

  /**
   * All samples of phonemes. Arguments and exceptions are those of [utterance].
   *
   * @throws SpeechException as [utterance].
   */
  @JvmOverloads
  @Throws(SpeechException::class)
  public fun say(
    phonemes: String,
    voice: String? = null,
    mix: Map<String, Float>? = null,
    speed: Float = 1f,
    seed: Long = 0,
    skipUnknown: Boolean = false,
    threads: Int = 0,
  ): FloatArray =
    utterance(phonemes, voice, mix, speed, seed, skipUnknown = skipUnknown, threads = threads).use { it.joined() }

  /**
   * What [utterance] takes for a text: its words pronounced, and its punctuation, at which a voice pauses. Numbers are to be
   * written out.
   *
   * `speech.read("Hello, world.", "eng-us", g2p::lend)`
   *
   * @param lang of the words: one of [languages], which the G2P model has too.
   * @param words lends a model that pronounces words: `lend` of the G2P library's class.
   * @throws SpeechException the model has no table for the language, the text has a number, or a word cannot be pronounced. The
   *   exception has its place in the text.
   */
  @Throws(SpeechException::class)
  public fun read(text: String, lang: String, words: ((Long, Long, Long) -> String) -> String): String =
    Flag().use { read(text, lang, words, it) }

  internal fun read(text: String, lang: String, words: ((Long, Long, Long) -> String) -> String, flag: Flag): String {
    val data = utf8(text)
    val code = utf8(lang)
    return holding { handle ->
      words { model, nextPart, pronounce ->
        checked(Native.read(handle, data, code, model, nextPart, pronounce, flag.address), data).text()
      }
    }
  }

  /** Gives back the memory that speaking took: some MB for each second of the longest piece. */
  public fun trim() {
    holding { Native.trim(it) }
  }

  /**
   * Closes the model: calls that come later throw [IllegalStateException]. Its memory is freed when what it says is at an end.
   */
  override fun close() {
    synchronized(this) {
      if (!isOpen) return
      isOpen = false
    }
    letGo()
  }

  @Synchronized
  private fun take(): Long {
    check(isOpen) { "the model is closed" }
    users++
    return handle
  }

  /** Ends a use of the model; the last one frees it. */
  internal fun letGo() {
    val left = synchronized(this) { --users }
    if (left == 0) Native.close(handle)
  }

  private inline fun <T> holding(call: (Long) -> T): T {
    val taken = take()
    try {
      return call(taken)
    } finally {
      letGo()
    }
  }

  /** Who speaks, as `jni.c` takes it. */
  private fun shares(voice: String?, mix: Map<String, Float>?): ByteArray {
    if (voice != null && mix != null) throw invalid("voice and mix say who speaks: give one of them")
    val there = voices
    val shares = mix ?: mapOf((voice ?: throw invalid("nobody speaks: give a voice, of ${there.joinToString()}")) to 1f)
    if (shares.isEmpty() || shares.size > MOST_MIXED) throw invalid("mix has ${shares.size} voices: give 1 to $MOST_MIXED")
    for ((name, share) in shares) {
      if (name !in there) {
        val message = "no voice is named '$name': there is ${there.joinToString()}"
        throw SpeechException(SpeechStatus.UNKNOWN_VOICE, null, message)
      }
      if (!(share >= 0 && share <= MOST_WEIGHT)) throw invalid("mix: the share of '$name' is $share: give 0 to 1000000")
    }
    if (shares.values.none { it > 0 }) throw invalid("mix: no share is above 0: give one that is")
    val names = shares.keys.map { utf8(it) }
    val buffer = ByteBuffer.allocate(names.sumOf { it.size + 5 }).order(ByteOrder.nativeOrder())
    for ((name, share) in names.zip(shares.values)) buffer.putFloat(share).put(name).put(0)
    return buffer.array()
  }

  private fun invalid(message: String) = SpeechException(SpeechStatus.INVALID_ARGUMENT, null, message)

  /** Says of an unknown phoneme what it is, and where it is in the phonemes as they were given. */
  private inline fun <T> placed(phonemes: String, call: () -> T): T =
    try {
      call()
    } catch (error: SpeechException) {
      val place = error.place
      if (error.status != SpeechStatus.UNKNOWN_PHONEME || place == null) throw error
      val code = phonemes.codePointAt(place)
      val point = code.toString(16).uppercase().padStart(4, '0')
      val shown = "'${String(Character.toChars(code))}' (U+$point)"
      val message = "the model has no symbol for $shown, at index $place of the phonemes: give another, or skipUnknown"
      throw SpeechException(error.status, place, message)
    }

  public companion object {
    /** Where the library's package has the weights among the app's assets. */
    public const val WEIGHTS: String = "tts/weights.tar"

    /** Where it has the voices. */
    public const val VOICES: String = "tts/voices.tar"

    private const val SKIP_UNKNOWN = 1
    private const val EARLY = 2
    private const val MOST_MIXED = 8
    private const val MOST_WEIGHT = 1e6f
    private const val MOST_THREADS = 256

    /**
     * Opens a model from its weights and voices, archives that are mapped and must stay as they are.
     *
     * @param threads of a call that does not say; 0: one for each processor that the process may use.
     * @throws SpeechException they are not there, or not of this library.
     */
    @JvmStatic
    @JvmOverloads
    @Throws(SpeechException::class)
    public fun open(weights: File, voices: File, threads: Int = 0): Speech =
      opened(Native.open(utf8(weights.path), threads)) { it.addVoices(voices) }

    /** As [open], of weights and voices in memory, which are copied. */
    @JvmStatic
    @JvmOverloads
    @Throws(SpeechException::class)
    public fun open(weights: ByteArray, voices: ByteArray, threads: Int = 0): Speech =
      opened(Native.openBytes(weights, threads)) { it.addVoices(voices) }

    /** A model with its voices; none is left open where they cannot be added. */
    internal fun opened(returned: ByteArray, addVoices: (Speech) -> Unit): Speech {
      val speech = Speech(returned)
      try {
        addVoices(speech)
      } catch (error: Throwable) {
        speech.close()
        throw error
      }
      return speech
    }
  }
}
