import android.content.Context
import android.content.res.AssetManager
import g2p.example.pronounced
import g2p.runtime.*
import java.nio.file.Path
import kotlin.concurrent.thread
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.take
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeoutOrNull

/** What is wrong with a call. */
fun failure(call: () -> Unit): G2PException =
  try {
    call()
    error("nothing was wrong")
  } catch (error: G2PException) {
    error
  }

val many = List(17000) { "word" + ('a' + it % 26) + ('a' + it / 26 % 26) + ('a' + it / 676) }

/** Argument: the folder of the app's assets. */
fun main(arguments: Array<String>) {
  val assets = Path.of(arguments[0])
  for (compressed in listOf(true, false)) {
    G2P.open(Context(AssetManager(assets, compressed)), threads = 1).use { check(it.pronounce("tie", "fin") == "ˈtie") }
  }
  val g2p = G2P.open(assets.resolve(WEIGHTS).toFile(), threads = 1)
  plain(g2p, assets)
  stopped(g2p)
  runBlocking { suspending(g2p) }
  val running = thread { check(failure { g2p.pronounceAll(many, "eng-us", cancel = late) }.status == Status.CANCELLED) }
  Thread.sleep(50)
  thread { Thread.sleep(100); late.cancel() }
  g2p.close() // waits for the call
  running.join()
  g2p.close()
  check(runCatching { g2p.pronounce("tie", "fin") }.exceptionOrNull() is IllegalStateException)
  println("well")
}

val late = Cancel()

fun plain(g2p: G2P, assets: Path) {
  check(g2p.languages!!.first() == "eng-us" && g2p.info.startsWith("{"))
  check(g2p.pronounceAll(listOf("tie", "yö"), "fin") == listOf("ˈtie", "ˈyø"))
  check(failure { g2p.pronounce("tie", "xx") }.run { status == Status.UNKNOWN_LANGUAGE })
  val wrong = failure { g2p.pronounceAll(listOf("tie", "2nd"), "eng-us") }
  check(wrong.status == Status.FOREIGN_CHARACTER && wrong.word == 1 && "2" in wrong.message!!)
  check(failure { g2p.pronounceAll(listOf("tie", "\uD83D"), "fin") }.run { status == Status.INVALID_WORD && word == 1 })
  val results = g2p.results(listOf("tie", "2nd", "\uD83D", "", "knight"), "eng-us", scores = true)
  check(results.map { it.status } ==
    listOf(Status.OK, Status.FOREIGN_CHARACTER, Status.INVALID_WORD, Status.EMPTY_WORD, Status.OK))
  check(results[1].message.isNotEmpty() && results[0].message.isEmpty() && results[4].phonemes == "ˈnaɪt")
  check(results.all { it.score <= 0f } && !results[4].isTruncated && !results[4].repeats)
  val best = g2p.best(listOf("qrstu", "2nd", "tie"), "eng-us", count = 2)
  check(best.map { it.size } == listOf(2, 1, 2) && best[1][0].status == Status.FOREIGN_CHARACTER)
  check(best[0][0].score >= best[0][1].score && best[0].all { it.word == "qrstu" })
  val plain = g2p.results(listOf("qrstu"), "eng-us", scores = true)
  check(g2p.best(listOf("qrstu"), "en-US", count = 1, beams = 1, earlyStopping = true) == listOf(plain))
  check(failure { g2p.best(listOf("tie"), "fin", count = 5) }.status == Status.INVALID_ARGUMENT)
  check(failure { g2p.best(listOf("tie"), "fin", count = -1) }.status == Status.INVALID_ARGUMENT)
  check(g2p.language("en-US") == "eng-us")
  check(failure { g2p.language("es-ES") }.status == Status.UNKNOWN_LANGUAGE)
  g2p.cacheWords(10)
  repeat(2) { check(g2p.results(listOf("qrstu"), "eng-us", scores = true) == plain) }
  check(failure { g2p.cacheWords(1 shl 30) }.status == Status.INVALID_ARGUMENT)
  g2p.cacheWords(0)
  var asked = 0
  val lazy = g2p.results(generateSequence { "tie".also { asked++ } }, "fin", chunk = 4)
  check(lazy.take(6).toList().map { it.phonemes } == List(6) { "ˈtie" } && asked == 8)
  val parts = g2p.text("Hello, 2 Londons 😀", "eng-us")
  check(parts.joinToString("") { it.text } == "Hello, 2 Londons 😀")
  check(parts.filter { it.kind == Kind.WORD }.map { it.result!!.word } == listOf("Hello", "Londons"))
  check(parts.single { it.kind == Kind.NUMBER }.text == "2" && parts.all { (it.result != null) == (it.kind == Kind.WORD) })
  G2P.open(assets.resolve(WEIGHTS).toFile().readBytes(), lexicon = false).use { own ->
    own.addWords(mapOf("tie" to "T"), "fin")
    check(own.results(listOf("tie"), "fin").single().run { phonemes == "T" && source == Source.USER })
    check(own.results(listOf("tie"), "fin", lexicons = false).single().source == Source.MODEL)
    check(failure { own.addLexicon("tie", "fin") }.status == Status.INVALID_LEXICON)
  }
  check(failure { G2P.open(assets.resolve("nothing").toFile()) }.status == Status.NO_FILE)
  check(failure { G2P.open(ByteArray(64)) }.status == Status.INVALID_WEIGHTS)
}

fun stopped(g2p: G2P) {
  val cancel = Cancel()
  thread { Thread.sleep(100); cancel.cancel() }
  val begin = System.nanoTime()
  check(failure { g2p.pronounceAll(many, "eng-us", cancel = cancel) }.status == Status.CANCELLED)
  check(System.nanoTime() - begin < 2_000_000_000)
  cancel.close()
  cancel.cancel()
}

suspend fun suspending(g2p: G2P) {
  check(g2p.await("tie", "fin") == "ˈtie" && g2p.awaitAll(listOf("yö"), "fin") == listOf("ˈyø"))
  check(g2p.awaitBest(listOf("tie"), "fin", count = 2).single().size == 2)
  check(g2p.awaitText("tie", "fin").single().result!!.phonemes == "ˈtie")
  check(runCatching { g2p.await("2nd", "eng-us") }.exceptionOrNull() is G2PException)
  val begin = System.nanoTime()
  check(withTimeoutOrNull(100) { g2p.awaitAll(many, "eng-us") } == null)
  check(System.nanoTime() - begin < 2_000_000_000)
  check(pronounced(g2p, "tie, 2nd", "eng-us").startsWith("ˈtaɪ, ['2'"))
  var said = 0
  check(g2p.flow(generateSequence { "tie".also { said++ } }, "fin", chunk = 3).take(5).toList().size == 5 && said == 6)
  kotlinx.coroutines.coroutineScope {
    var thrown: Throwable? = null
    val job = launch(Dispatchers.Default) {
      try {
        g2p.awaitResults(many, "eng-us")
      } catch (error: Throwable) {
        thrown = error
      }
    }
    delay(50)
    job.cancel()
    job.join()
    check(thrown is CancellationException) { "$thrown" }
  }
}
