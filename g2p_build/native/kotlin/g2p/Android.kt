@file:JvmName("G2PAndroid")

package g2p.runtime

import android.content.Context
import java.io.FileNotFoundException

/** Where the library's package has the weights among the app's assets. */
public const val WEIGHTS: String = "g2p/weights.tar"

/**
 * Opens the model that came with the library, from the app's assets.
 *
 * An asset that is stored as it is is read into memory, or mapped where it begins at a multiple of 64 bytes; one that
 * the app's build has compressed is unpacked first.
 *
 * @param threads of a call that does not say; 0: one for each processor that the process may use.
 * @param lexicon whether the model's own lexicon comes before it.
 * @throws G2PException the weights are not of this library.
 */
@Throws(G2PException::class)
public fun G2P.Companion.open(context: Context, threads: Int = 0, lexicon: Boolean = true): G2P {
  val assets = context.assets
  val stored =
    try {
      assets.openFd(WEIGHTS)
    } catch (error: FileNotFoundException) {
      null // compressed
    }
  if (stored == null) return open(assets.open(WEIGHTS).use { it.readBytes() }, threads, lexicon)
  return stored.use { open(it.parcelFileDescriptor.fd, it.startOffset, it.length, threads, lexicon) }
}
