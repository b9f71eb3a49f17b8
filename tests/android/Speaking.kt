import android.content.Context
import android.content.res.AssetManager
import g2p.runtime.*
import java.lang.management.ManagementFactory
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.file.Files
import java.nio.file.Path
import kotlin.concurrent.thread
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.take
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeoutOrNull
import tts.runtime.*

/** What is wrong with a call. */
fun wrong(call: () -> Unit): SpeechException =
  try {
    call()
    error("nothing was wrong")
  } catch (error: SpeechException) {
    error
  }

/** Runs a call, which must be over soon. */
inline fun <T> soon(call: () -> T): T {
  val begin = System.nanoTime()
  return call().also { check(System.nanoTime() - begin < 2_000_000_000) { "${(System.nanoTime() - begin) / 1e9} s" } }
}

const val HELLO = "həlˈO wˈɜɹld."
val long = List(400) { HELLO }.joinToString(" ")

/** Arguments: the folder of the app's assets, a line of phonemes, a file for their samples. */
fun main(arguments: Array<String>) {
  val (folder, said, out) = arguments
  val assets = Path.of(folder)
  val weights = assets.resolve(Speech.WEIGHTS).toFile()
  val voices = assets.resolve(Speech.VOICES).toFile()
  val speech = Speech.open(Context(AssetManager(assets, false)), threads = 2)
  Files.write(Path.of(out), bytes(speech.say(said, voice = "first", seed = -1, speed = 1.5f)))
  val whole = speech.say(said, "first")
  Speech.open(weights, voices, threads = 1).use { check(it.say(said, "first").contentEquals(whole)) }
  Speech.open(weights.readBytes(), voices.readBytes()).use { check(it.say(said, "first").contentEquals(whole)) }
  val compressed = wrong { Speech.open(Context(AssetManager(assets, true))) }
  check(compressed.status == SpeechStatus.NO_FILE && "noCompress" in compressed.message!!)
  check(wrong { Speech.open(weights, assets.resolve("nothing").toFile()) }.status == SpeechStatus.NO_FILE)
  check(wrong { Speech.open(weights, weights) }.status == SpeechStatus.INVALID_VOICES)
  check(wrong { Speech.open(ByteArray(0), ByteArray(0)) }.status == SpeechStatus.INVALID_WEIGHTS)
  plain(speech, said, whole)
  G2P.open(Context(AssetManager(assets, false)), threads = 1).use { reading(speech, it) }
  stopped(speech)
  runBlocking { suspending(speech, said, whole) }
  runBlocking { shown(Context(AssetManager(assets, false)), speech) }
  closed(speech, said, whole)
  println("well")
}

fun bytes(samples: FloatArray): ByteArray {
  val buffer = ByteBuffer.allocate(4 * samples.size).order(ByteOrder.nativeOrder())
  buffer.asFloatBuffer().put(samples)
  return buffer.array()
}

fun joined(pieces: List<Piece>): FloatArray = pieces.flatMap { it.samples.asList() }.toFloatArray()

fun plain(speech: Speech, said: String, whole: FloatArray) {
  check(speech.voices == listOf("first", "second") && speech.languages == listOf("eng-us", "spa-latin"))
  check(speech.limits == Limits(510, 24000, 600, 0.25f, 4f) && speech.info.startsWith("{"))
  val pieces = speech.utterance(said, "first", early = true).use { it.asSequence().toList() }
  check(pieces.size > 1 && joined(pieces).size >= whole.size / 2)
  var next = 0L
  var place = 0
  for (piece in pieces) {
    check(piece.first == next)
    next += piece.samples.size
    for (timing in piece.timings) {
      check(timing.place >= place && said.startsWith(timing.symbol, timing.place))
      check(timing.first >= piece.first && timing.first + timing.samples <= next && timing.samples % 600 == 0)
      place = timing.place + timing.symbol.length
    }
  }
  check(place == said.length)
  val mixed = speech.say(said, mix = mapOf("first" to 0.3f, "second" to 0.7f))
  check(!mixed.contentEquals(whole) && speech.say(said, mix = mapOf("first" to 2f, "second" to 0f)).contentEquals(whole))
  check(!speech.say(said, "first", seed = 1).contentEquals(whole))
  // Behind a character of two units, the places are still those of the string.
  val unknown = wrong { speech.say("a😀 ☃.", "first", skipUnknown = false) }
  check(unknown.status == SpeechStatus.UNKNOWN_PHONEME && unknown.place == 1 && "'😀' (U+1F600)" in unknown.message!!)
  val second = speech.utterance("a😀 ☃.", "first", skipUnknown = true).use { it.next() }
  check(second.timings.map { it.place to it.symbol } == listOf(0 to "a", 3 to " ", 5 to "."))
  fun status(call: () -> Unit) = wrong(call).status
  check(status { speech.say("a\uD83D", "first") } == SpeechStatus.INVALID_WORD)
  check(status { speech.say("", "first") } == SpeechStatus.EMPTY_WORD)
  check(wrong { speech.say("a", "nobody") }.run { status == SpeechStatus.UNKNOWN_VOICE && "first, second" in message!! })
  check(status { speech.say("a", "first\u0000") } == SpeechStatus.UNKNOWN_VOICE)
  val invalid =
    listOf<() -> Unit>(
      { speech.say("a") },
      { speech.say("a", "first", mapOf("first" to 1f)) },
      { speech.say("a", mix = mapOf()) },
      { speech.say("a", mix = mapOf("first" to 0f)) },
      { speech.say("a", mix = mapOf("first" to Float.NaN)) },
      { speech.say("a", mix = List(9) { "$it" to 1f }.toMap()) },
      { speech.say("a", "first", speed = 9f) },
      { speech.say("a", "first", speed = Float.NaN) },
      { speech.say("a", "first", threads = -1) },
    )
  for (call in invalid) check(status(call) == SpeechStatus.INVALID_ARGUMENT)
  check("9.0" in wrong { speech.say("a", "first", speed = 9f) }.message!!)
  check(status { speech.addVoices(ByteArray(100)) } == SpeechStatus.INVALID_VOICES)
  speech.trim()
  check(speech.say(said, "first").contentEquals(whole))
}

fun reading(speech: Speech, g2p: G2P) {
  check(speech.read("Hello, “Moon”!", "eng-us", g2p::lend) == "hɛlˈO, “mˈun”!")
  g2p.addWords(mapOf("moon" to "ˈnum"), "eng-us")
  check(speech.read("Hello, [moon] - ", "eng-us", g2p::lend) == "hɛlˈO, (nˈum)")
  val number = wrong { speech.read("😀 Hello 2", "eng-us", g2p::lend) }
  check(number.status == SpeechStatus.FOREIGN_CHARACTER && number.place == 9)
  check(wrong { speech.read("Hello я", "eng-us", g2p::lend) }.run { status == SpeechStatus.FOREIGN_CHARACTER && place == 6 })
  check(wrong { speech.read("tie", "fin", g2p::lend) }.run { status == SpeechStatus.UNKNOWN_LANGUAGE && place == null })
  runBlocking {
    check(speech.awaitRead("Hello.", "eng-us", g2p::lend) == "hɛlˈO.")
    val begin = System.nanoTime()
    check(withTimeoutOrNull(50) { speech.awaitRead("qrstu vwxyz ".repeat(20000), "eng-us", g2p::lend) } == null)
    check(System.nanoTime() - begin < 2_000_000_000)
  }
  g2p.close()
  check(runCatching { speech.read("Hello", "eng-us", g2p::lend) }.exceptionOrNull() is IllegalStateException)
}

fun stopped(speech: Speech) {
  val utterance = speech.utterance(long, "first", threads = 1)
  thread { Thread.sleep(100); utterance.close() }
  val thrown = runCatching { soon { while (utterance.hasNext()) utterance.next() } }.exceptionOrNull()
  check(thrown == null || (thrown as SpeechException).status == SpeechStatus.CANCELLED)
  check(!utterance.hasNext() && runCatching { utterance.next() }.exceptionOrNull() is NoSuchElementException)
  utterance.close()
}

suspend fun suspending(speech: Speech, said: String, whole: FloatArray) {
  check(speech.awaitSay(said, "first").contentEquals(whole))
  check(joined(speech.speak(said, "first").toList()).contentEquals(whole))
  val unknown = runCatching { speech.speak("a☃", "first").first() }.exceptionOrNull() as SpeechException
  check(unknown.status == SpeechStatus.UNKNOWN_PHONEME && unknown.place == 1)
  val alone = listOf("first", "second").associateWith { speech.say(said, it) }
  coroutineScope { // calls at the same time do not disturb each other
    for (voice in alone.keys + alone.keys) launch(Dispatchers.Default) {
      check(joined(speech.speak(said, voice).toList()).contentEquals(alone.getValue(voice)))
    }
  }
  check(soon { speech.speak(long, "first").take(2).toList() }.size == 2)
  check(soon { withTimeoutOrNull(100) { speech.awaitSay(long, "first") } } == null)
  check(soon { withTimeoutOrNull(100) { speech.speak(long, "first").toList() } } == null)
  // The model waits for whoever plays: while its first piece is taken, it makes two more, and no others.
  val piece = spent { speech.utterance(long, "first").use { it.next() } }
  var taken = 0
  coroutineScope {
    var thrown: Throwable? = null
    val job =
      launch(Dispatchers.Default) {
        try {
          speech.speak(long, "first").collect {
            taken++
            delay(1_000_000)
          }
        } catch (error: Throwable) {
          thrown = error
        }
      }
    val ahead = spent { delay(40 * piece / 1_000_000) }
    check(ahead < 10 * piece) { "$ahead of $piece" }
    soon { job.cancelAndJoin() }
    check(taken == 1 && thrown is CancellationException) { "$taken $thrown" }
  }
}

/** Nanoseconds of the processors' time that something took. */
inline fun spent(call: () -> Unit): Long {
  val processors = ManagementFactory.getOperatingSystemMXBean() as com.sun.management.OperatingSystemMXBean
  val begin = processors.processCpuTime
  call()
  return processors.processCpuTime - begin
}

/** What the page of speech shows, with other voices. */
suspend fun shown(context: Context, speech: Speech) {
  val played = mutableListOf<FloatArray>()
  var results = 0
  page(context, { samples, rate -> played += samples.also { check(rate == 24000) } }) { sound, phonemes ->
    val mix = mapOf("first" to 0.3f, "second" to 0.7f)
    check(sound.contentEquals(speech.say(HELLO, mix = mix, speed = 1.2f, seed = 7)) && phonemes == "hɛlˈO, wˈɜɹld.")
    results++
  }
  check(results == 1 && played.sumOf { it.size } == speech.utterance(HELLO, "first", early = true).use { all -> all.asSequence().sumOf { it.samples.size } })
}

fun closed(speech: Speech, said: String, whole: FloatArray) {
  val utterance = speech.utterance(said, "first")
  speech.close()
  speech.close()
  check(joined(utterance.asSequence().toList()).contentEquals(whole)) // what has begun goes on
  utterance.close()
  check(runCatching { speech.say(said, "first") }.exceptionOrNull() is IllegalStateException)
  check(runCatching { speech.voices }.exceptionOrNull() is IllegalStateException)
}
