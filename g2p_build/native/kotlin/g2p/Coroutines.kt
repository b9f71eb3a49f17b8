@file:JvmName("G2PCoroutines")

package g2p.runtime

import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow

// These are all that needs kotlinx-coroutines: an app that calls none of them does without.

/** [G2P.pronounce], off the calling thread. A coroutine that is cancelled stops it at once. */
public suspend fun G2P.await(word: String, lang: String): String = awaitAll(listOf(word), lang)[0]

/** [G2P.pronounceAll], off the calling thread. A coroutine that is cancelled stops it at once. */
public suspend fun G2P.awaitAll(words: List<String>, lang: String): List<String> =
  stopping { pronounceAll(words, lang, cancel = it) }

/** [G2P.results], off the calling thread. A coroutine that is cancelled stops it at once. */
public suspend fun G2P.awaitResults(words: List<String>, lang: String, scores: Boolean = false): List<Pronunciation> =
  stopping { results(words, lang, scores, cancel = it) }

/** [G2P.best], off the calling thread. A coroutine that is cancelled stops it at once. */
public suspend fun G2P.awaitBest(
  words: List<String>,
  lang: String,
  count: Int = 3,
  beams: Int = 4,
): List<List<Pronunciation>> = stopping { best(words, lang, count, beams, cancel = it) }

/** [G2P.text], off the calling thread. A coroutine that is cancelled stops it at once. */
public suspend fun G2P.awaitText(text: String, lang: String): List<Part> = stopping { text(text, lang, cancel = it) }

/**
 * Results of a list of any length, in its order, as they are finished: [chunk] words are pronounced at a time, when the
 * collector has taken those before.
 */
public fun G2P.flow(words: Sequence<String>, lang: String, chunk: Int = G2P.CHUNK): Flow<Pronunciation> = flow {
  for (some in words.chunked(chunk)) for (result in awaitResults(some, lang)) emit(result)
}

/** Runs a call on a thread that computes. When the coroutine is cancelled, stops it, and waits until it has stopped. */
private suspend fun <T> stopping(call: (Cancel) -> T): T =
  Cancel().use { cancel ->
    coroutineScope {
      val called =
        async(Dispatchers.Default) {
          try {
            call(cancel)
          } catch (error: G2PException) {
            throw if (error.status == Status.CANCELLED) CancellationException(error.message) else error
          }
        }
      try {
        called.await()
      } catch (error: CancellationException) {
        cancel.cancel()
        throw error
      }
    }
  }
