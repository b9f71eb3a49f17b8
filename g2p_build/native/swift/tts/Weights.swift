import Foundation

extension TTS {
  /// Where the package has its weights; nil where none were put there.
  public static var weights: URL? { resource("weights") }

  /// Where the package has its voices; nil where none were put there.
  public static var voices: URL? { resource("voices") }

  /// Opens the model that comes with the package, with its voices.
  ///
  /// - Parameter threads: How many work on an utterance, one of them the caller's. 0: one for each processor that the
  ///   process may use.
  /// - Throws: ``TTSError``: there are no weights or no voices in the package, or those of another model.
  public convenience init(threads: Int = 0) throws {
    guard let weights = Self.weights, let voices = Self.voices else {
      let missing = Self.weights == nil ? "weights" : "voices"
      let message = "the package has no \(missing): put the archive at Sources/TTS/Weights/\(missing).tar"
      throw TTSError(status: .noFile, place: nil, message: message)
    }
    try self.init(weights: weights, voices: voices, threads: threads)
  }

  private static func resource(_ name: String) -> URL? {
    Bundle.module.url(forResource: name, withExtension: "tar", subdirectory: "Weights")
  }
}
