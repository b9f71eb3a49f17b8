@file:JvmName("SpeechCoroutines")

package tts.runtime

import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.buffer
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.flowOn
import kotlinx.coroutines.withContext

// These are all that needs kotlinx-coroutines: an app that calls none of them does without.

private const val AHEAD = 1 // finished pieces that wait to be taken, besides the one that is handed over

/**
 * The sound of phonemes, piece by piece and in order, each as soon as it is made. The arguments are those of [Speech.utterance].
 *
 * The next piece is made while the last is played: at most two are made that nobody has taken. When the collector's coroutine is
 * cancelled, or it takes no more, the work ends, within some hundredths of a second. The flow throws what [Speech.utterance] throws.
 */
public fun Speech.speak(
  phonemes: String,
  voice: String? = null,
  mix: Map<String, Float>? = null,
  speed: Float = 1f,
  seed: Long = 0,
  early: Boolean = false,
  skipUnknown: Boolean = false,
  threads: Int = 0,
): Flow<Piece> =
  flow {
      utterance(phonemes, voice, mix, speed, seed, early, skipUnknown, threads).use { utterance ->
        while (utterance.hasNext()) emit(stopping(utterance::stop) { utterance.next() })
      }
    }
    .flowOn(Dispatchers.Default)
    .buffer(AHEAD)

/** [Speech.say], off the calling thread. A coroutine that is cancelled stops it. */
public suspend fun Speech.awaitSay(
  phonemes: String,
  voice: String? = null,
  mix: Map<String, Float>? = null,
  speed: Float = 1f,
  seed: Long = 0,
  skipUnknown: Boolean = false,
  threads: Int = 0,
): FloatArray =
  withContext(Dispatchers.Default) {
    utterance(phonemes, voice, mix, speed, seed, skipUnknown = skipUnknown, threads = threads).use { utterance ->
      stopping(utterance::stop) { utterance.joined() }
    }
  }

/** [Speech.read], off the calling thread. A coroutine that is cancelled stops it. */
public suspend fun Speech.awaitRead(text: String, lang: String, words: ((Long, Long, Long) -> String) -> String): String =
  Flag().use { flag -> stopping(flag::raise) { read(text, lang, words, flag) } }

/** Runs a call on a thread that computes. When the coroutine is cancelled, stops it, and waits until it has stopped. */
private suspend fun <T> stopping(stop: () -> Unit, call: () -> T): T = coroutineScope {
  val called =
    async(Dispatchers.Default) {
      try {
        call()
      } catch (error: SpeechException) {
        throw if (error.status == SpeechStatus.CANCELLED) CancellationException(error.message) else error
      }
    }
  try {
    called.await()
  } catch (error: CancellationException) {
    stop()
    throw error
  }
}
