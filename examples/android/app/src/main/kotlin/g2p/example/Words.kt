package g2p.example

import g2p.runtime.G2P
import g2p.runtime.Kind
import g2p.runtime.Part
import g2p.runtime.Status
import g2p.runtime.awaitText

/** A text with its words pronounced, as the app shows it: what is no word stays, and a wrong word says what is wrong. */
suspend fun pronounced(g2p: G2P, text: String, lang: String): String =
  g2p.awaitText(text, lang).joinToString("", transform = ::shown)

private fun shown(part: Part): String {
  val result = part.result
  if (part.kind != Kind.WORD || result == null) return part.text
  return if (result.status == Status.OK) result.phonemes else "[${result.message}]"
}
