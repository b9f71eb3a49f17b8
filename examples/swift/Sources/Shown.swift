import G2P

/// A text with its words pronounced, as the app shows it: what is no word stays, and a wrong word says what is wrong.
func shown(_ model: G2P, _ text: String, _ language: String) async throws -> String {
  try await model.text(text, language: language).map { part in
    guard let result = part.result else { return part.text }
    return result.error.map { "[\($0.message)]" } ?? result.phonemes
  }.joined()
}
