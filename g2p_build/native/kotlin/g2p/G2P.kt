package g2p.runtime

import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.concurrent.locks.ReentrantReadWriteLock
import kotlin.concurrent.read
import kotlin.concurrent.write

/**
 * A model that pronounces words. Any number of threads may use it at the same time.
 *
 * Its functions compute, for a millisecond a word or so, and leave the calling thread no time: on the main thread take
 * the suspending ones (`awaitAll`), which need kotlinx-coroutines. [close] waits for the calls that run.
 */
public class G2P internal constructor(returned: ByteArray) : AutoCloseable {
  private var handle: Long = checked(returned).getLong()
  private val lock = ReentrantReadWriteLock()

  /** The codes of the languages; null where the model takes any code. */
  public val languages: List<String>?

  /** What the model is, as a JSON object: name, target, bounds, prompt. */
  public val info: String

  init {
    val buffer = checked(Native.about(handle))
    val count = buffer.getInt()
    languages = if (count < 0) null else List(count) { buffer.text() }
    info = buffer.text()
  }

  /**
   * The phonemes of one word.
   *
   * @throws G2PException the word cannot be pronounced; its status says why.
   */
  @Throws(G2PException::class)
  public fun pronounce(word: String, lang: String): String = pronounceAll(listOf(word), lang)[0]

  /**
   * The phonemes of words, in their order.
   *
   * @param threads how many to use; 0: as many as the model was opened with.
   * @param cancel stops the call from another thread.
   * @throws G2PException a word cannot be pronounced, and none is; or [Status.CANCELLED].
   */
  @JvmOverloads
  @Throws(G2PException::class)
  public fun pronounceAll(words: List<String>, lang: String, threads: Int = 0, cancel: Cancel? = null): List<String> =
    ask(words, lang, 0, threads, cancel).map { it.phonemes }

  /**
   * All that is known of each word, in their order. A wrong word ends nothing: its own result says what is wrong.
   *
   * @param scores whether results have scores, which cost a few percent.
   * @param lexicons whether lexicons come before the model, and words in capitals are spelled.
   * @throws G2PException the language is unknown, there is no memory, or [Status.CANCELLED].
   */
  @JvmOverloads
  @Throws(G2PException::class)
  public fun results(
    words: List<String>,
    lang: String,
    scores: Boolean = false,
    lexicons: Boolean = true,
    threads: Int = 0,
    cancel: Cancel? = null,
  ): List<Pronunciation> {
    val flags = EACH or (if (scores) SCORES else 0) or (if (lexicons) 0 else MODEL)
    return ask(words, lang, flags, threads, cancel)
  }

  /**
   * The best pronunciations of each word, the best first, with their scores.
   *
   * They are those of beam search, as transformers' `generate` makes it. A word that a lexicon has gets its pronunciations
   * from there; a wrong word has one, which says what is wrong.
   *
   * @param count pronunciations of each word, at most; no more than [beams].
   * @param beams beginnings that are kept at each step, up to 64.
   * @param earlyStopping whether a search ends as soon as as many pronunciations as beams are whole.
   * @throws G2PException the language is unknown, there is no memory, too much is asked for, or [Status.CANCELLED].
   */
  @JvmOverloads
  @Throws(G2PException::class)
  public fun best(
    words: List<String>,
    lang: String,
    count: Int = 3,
    beams: Int = 4,
    earlyStopping: Boolean = false,
    threads: Int = 0,
    cancel: Cancel? = null,
  ): List<List<Pronunciation>> {
    val early = if (earlyStopping) 1 else 0
    val found =
      ask(words, lang, EACH, cancel) { model, request, code, flag ->
        Native.best(model, request, words.size, code, EACH, threads, flag, count, beams, early)
      }
    val each = found.groupBy({ it.first }, { it.second })
    return words.indices.map { each.getValue(it) }
  }

  /**
   * As [results], of a list of any length: [chunk] words are pronounced at a time, when their results are asked for.
   */
  @JvmOverloads
  public fun results(words: Sequence<String>, lang: String, chunk: Int = CHUNK): Sequence<Pronunciation> =
    words.chunked(chunk).flatMap { results(it, lang) }

  /**
   * Splits a text at Unicode's word boundaries, and pronounces its words. Numbers, blanks and punctuation are kept.
   *
   * @throws G2PException as [results].
   */
  @JvmOverloads
  @Throws(G2PException::class)
  public fun text(text: String, lang: String, threads: Int = 0, cancel: Cancel? = null): List<Part> {
    val data = utf8(text)
    val buffer = checked(Native.parts(data))
    val parts = mutableListOf<Pair<Kind, String>>()
    var start = 0
    while (buffer.hasRemaining()) {
      val kind = Kind.entries[buffer.getInt()]
      val end = buffer.getInt()
      parts += kind to String(data, start, end - start, Charsets.UTF_8)
      start = end
    }
    val results = results(parts.filter { it.first == Kind.WORD }.map { it.second }, lang, threads = threads, cancel = cancel)
    val next = results.iterator()
    return parts.map { (kind, part) -> Part(part, kind, if (kind == Kind.WORD) next.next() else null) }
  }

  /**
   * The model's own code for a BCP 47 tag: `eng-us` for `en-US`. Every function takes both.
   *
   * @throws G2PException the model does not know the language, or the tag may mean several; the message names them.
   */
  @Throws(G2PException::class)
  public fun language(tag: String): String = checked(open { Native.language(it, utf8(tag)) }).text()

  /**
   * Keeps what the model said of the words that were used last, so that it need not say it again. Results are the same.
   *
   * @param count how many words; 0, as at first, for none. Their memory is taken at once: half a kilobyte each, and more
   *   with larger bounds.
   * @throws G2PException there is no memory for so many.
   */
  @Throws(G2PException::class)
  public fun cacheWords(count: Int) {
    checked(open { Native.cacheWords(it, count) })
  }

  /**
   * Adds words of the app's own, which come before the model and before words that were added earlier.
   *
   * @param words word → its pronunciation.
   * @throws G2PException a word or pronunciation is none: [Status.INVALID_LEXICON] says which.
   */
  @Throws(G2PException::class)
  public fun addWords(words: Map<String, String>, lang: String) {
    addLexicon(words.entries.joinToString("") { "${it.key}\t${it.value}\n" }, lang)
  }

  /**
   * As [addWords], from lines: a word, a tab, and its pronunciations with commas between them.
   *
   * @throws G2PException a line is none of these: [Status.INVALID_LEXICON] says which.
   */
  @Throws(G2PException::class)
  public fun addLexicon(lines: String, lang: String) {
    checked(open { Native.addLexicon(it, utf8(lines), utf8(lang)) })
  }

  /**
   * Lends the model to another library, for the time of a call: that of speech reads texts with it (`speech.read(text, lang,
   * g2p::lend)`).
   *
   * @param call gets the addresses of the model and of two functions of `g2p.h`, `g2p_next_part` and `g2p_pronounce`. They are good
   *   until it returns.
   */
  public fun <T> lend(call: (model: Long, nextPart: Long, pronounce: Long) -> T): T = open {
    val lent = checked(Native.lent(it))
    call(lent.getLong(), lent.getLong(), lent.getLong())
  }

  /** Frees the model, after the calls that run. Calls that come later throw [IllegalStateException]. */
  override fun close() {
    lock.write {
      if (handle != 0L) Native.close(handle)
      handle = 0
    }
  }

  private fun ask(words: List<String>, lang: String, flags: Int, threads: Int, cancel: Cancel?): List<Pronunciation> =
    ask(words, lang, flags, cancel) { model, request, code, flag ->
      Native.results(model, request, words.size, code, flags, threads, flag)
    }.map { it.second }

  /** The results of a call, and which of the words each is of. */
  private fun ask(
    words: List<String>,
    lang: String,
    flags: Int,
    cancel: Cancel?,
    call: (Long, ByteArray, ByteArray, Long) -> ByteArray,
  ): List<Pair<Int, Pronunciation>> {
    val texts = if (flags and EACH != 0) words.map(::replaced) else words.mapIndexed { i, word -> utf8(word, i) }
    val request = ByteBuffer.allocate(4 * texts.size + texts.sumOf { it.size }).order(ByteOrder.nativeOrder())
    texts.forEach { request.putInt(it.size) }
    texts.forEach { request.put(it) }
    val code = utf8(lang)
    val stop = cancel ?: Cancel()
    try {
      val flag = stop.address
      val buffer = checked(open { call(it, request.array(), code, flag) })
      val found = mutableListOf<Pair<Int, Pronunciation>>()
      while (buffer.hasRemaining()) {
        val number = buffer.getInt()
        val status = Status.of(buffer.getInt())
        val source = Source.entries[buffer.getInt()]
        val marks = buffer.getInt()
        val score = buffer.getFloat()
        val phonemes = buffer.text()
        val message = buffer.text()
        val (truncated, repeats) = Pair(marks and 1 != 0, marks and 2 != 0)
        found += number to Pronunciation(words[number], phonemes, source, status, message, truncated, repeats, score)
      }
      return found
    } finally {
      if (cancel == null) stop.close()
    }
  }

  /** Half a surrogate pair becomes a byte that is no UTF-8, so that the word's own result says that it is wrong. */
  private fun replaced(word: String): ByteArray =
    try {
      utf8(word)
    } catch (error: G2PException) {
      byteArrayOf(-1)
    }

  private inline fun <T> open(call: (Long) -> T): T =
    lock.read {
      check(handle != 0L) { "the model is closed" }
      call(handle)
    }

  public companion object {
    private const val NO_LEXICON = 2
    private const val SCORES = 2
    private const val EACH = 4
    private const val MODEL = 8
    internal const val CHUNK: Int = 256

    /**
     * Opens a model from its weights archive, a file that is mapped and must stay as it is.
     *
     * @param threads of a call that does not say; 0: one for each processor that the process may use.
     * @param lexicon whether the archive's own lexicon comes before the model.
     * @throws G2PException it is not there, or not of this library.
     */
    @JvmStatic
    @JvmOverloads
    @Throws(G2PException::class)
    public fun open(weights: java.io.File, threads: Int = 0, lexicon: Boolean = true): G2P =
      G2P(Native.open(utf8(weights.path), flags(lexicon), threads))

    /** As [open], of weights in memory, which are copied. */
    @JvmStatic
    @JvmOverloads
    @Throws(G2PException::class)
    public fun open(weights: ByteArray, threads: Int = 0, lexicon: Boolean = true): G2P =
      G2P(Native.openBytes(weights, flags(lexicon), threads))

    internal fun open(file: Int, at: Long, length: Long, threads: Int, lexicon: Boolean): G2P =
      G2P(Native.openDescriptor(file, at, length, flags(lexicon), threads))

    private fun flags(lexicon: Boolean): Int = if (lexicon) 0 else NO_LEXICON
  }
}

/** Stops calls that it was given to. It may be given to several, and stops later ones too. */
public class Cancel : AutoCloseable {
  private var flag: Long = Native.flag(0).also { if (it == 0L) throw OutOfMemoryError() }

  internal val address: Long
    @Synchronized get() = flag.also { check(it != 0L) { "the Cancel is closed" } }

  /** Asks the calls to stop; they throw [G2PException] with [Status.CANCELLED]. From any thread, once closed to no effect. */
  @Synchronized
  public fun cancel() {
    if (flag != 0L) Native.raise(flag)
  }

  /** Frees it. No call that it was given to may be running. */
  @Synchronized
  override fun close() {
    if (flag != 0L) Native.release(flag)
    flag = 0
  }
}
