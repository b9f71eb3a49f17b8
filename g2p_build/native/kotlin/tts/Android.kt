@file:JvmName("SpeechAndroid")

package tts.runtime

import android.content.Context
import android.content.res.AssetFileDescriptor
import java.io.FileNotFoundException

/**
 * Opens the model that came with the library, with its voices, from the app's assets.
 *
 * They must be stored as they are: `androidResources { noCompress += "tar" }` in the app's build. An asset that begins at a
 * multiple of 64 bytes is mapped, and others are read into memory. To have the weights mapped in any case, copy them into a file
 * once, and open that.
 *
 * @param threads of a call that does not say; 0: one for each processor that the process may use.
 * @throws SpeechException an asset is not there, compressed, or not of this library.
 */
@Throws(SpeechException::class)
public fun Speech.Companion.open(context: Context, threads: Int = 0): Speech =
  stored(context, WEIGHTS) { file, at, length ->
    opened(Native.openDescriptor(file, at, length, threads)) { speech ->
      stored(context, VOICES) { voices, from, size -> speech.addVoices(voices, from, size) }
    }
  }

private fun <T> stored(context: Context, name: String, call: (file: Int, at: Long, length: Long) -> T): T {
  val asset: AssetFileDescriptor =
    try {
      context.assets.openFd(name)
    } catch (error: FileNotFoundException) {
      val message = "the asset $name is not there, or the app's build compressed it: androidResources { noCompress += \"tar\" }"
      throw SpeechException(SpeechStatus.NO_FILE, null, message)
    }
  return asset.use { call(it.parcelFileDescriptor.fd, it.startOffset, it.length) }
}
