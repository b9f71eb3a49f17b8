package g2p.example

import android.app.Activity
import android.os.Bundle
import android.text.Editable
import android.text.TextWatcher
import android.view.View
import android.widget.AdapterView
import android.widget.ArrayAdapter
import android.widget.EditText
import android.widget.LinearLayout
import android.widget.Spinner
import android.widget.TextView
import g2p.runtime.G2P
import g2p.runtime.open
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.MainScope
import kotlinx.coroutines.cancel
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext

/** A text field, a list of languages, and the phonemes of what is typed, as it is typed. */
class MainActivity : Activity() {
  private val scope = MainScope()
  private var model: G2P? = null
  private var typing: Job? = null
  private lateinit var field: EditText
  private lateinit var languages: Spinner
  private lateinit var phonemes: TextView

  override fun onCreate(state: Bundle?) {
    super.onCreate(state)
    field = EditText(this).apply { setText("I'm in London.") }
    languages = Spinner(this)
    phonemes = TextView(this).apply { textSize = 24f }
    val column = LinearLayout(this).apply { orientation = LinearLayout.VERTICAL }
    column.fitsSystemWindows = true
    listOf(languages, field, phonemes).forEach(column::addView)
    setContentView(column)
    scope.launch {
      val opened = withContext(Dispatchers.IO) { G2P.open(applicationContext) }
      model = opened
      val codes = opened.languages.orEmpty()
      languages.adapter = ArrayAdapter(this@MainActivity, android.R.layout.simple_spinner_dropdown_item, codes)
      languages.onItemSelectedListener =
        object : AdapterView.OnItemSelectedListener {
          override fun onItemSelected(parent: AdapterView<*>?, view: View?, position: Int, id: Long) = pronounce()

          override fun onNothingSelected(parent: AdapterView<*>?) = Unit
        }
      field.addTextChangedListener(
        object : TextWatcher {
          override fun afterTextChanged(text: Editable?) = pronounce()

          override fun beforeTextChanged(text: CharSequence?, start: Int, count: Int, after: Int) = Unit

          override fun onTextChanged(text: CharSequence?, start: Int, before: Int, count: Int) = Unit
        }
      )
    }
  }

  private fun pronounce() {
    val g2p = model ?: return
    val lang = languages.selectedItem as? String ?: return
    typing?.cancel() // what is computed for an earlier text stops
    typing = scope.launch { phonemes.text = pronounced(g2p, field.text.toString(), lang) }
  }

  override fun onDestroy() {
    scope.cancel()
    model?.close()
    super.onDestroy()
  }
}
