import G2P
import SwiftUI

/// A text field, a list of languages, and the phonemes of what is typed, as it is typed.
@main
struct WordsApp: App {
  var body: some Scene {
    WindowGroup { WordsView() }
  }
}

struct WordsView: View {
  /// What a task waits for.
  private struct Question: Hashable {
    var text = "I’m in London."
    var language = "eng-us"
  }

  @State private var model: G2P?
  @State private var question = Question()
  @State private var answer = ""

  var body: some View {
    Form {
      Picker("Language", selection: $question.language) {
        ForEach(model?.languages ?? [question.language], id: \.self) { Text($0) }
      }
      TextField("Text", text: $question.text)
      Text(answer).font(.title2)
    }
    // A new question cancels the task of the one before, which stops the computation.
    .task(id: question) {
      do {
        let model = try self.model ?? G2P()
        self.model = model
        answer = try await shown(model, question.text, question.language)
      } catch let error as G2PError {
        answer = error.message
      } catch {
        return  // cancelled
      }
    }
  }
}
