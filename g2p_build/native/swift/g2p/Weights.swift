import Foundation

extension G2P {
  /// Where the package has its weights; nil where none were put there.
  public static var weights: URL? {
    Bundle.module.url(forResource: "weights", withExtension: "tar", subdirectory: "Weights")
  }

  /// Opens the model that comes with the package.
  ///
  /// - Parameters:
  ///   - threads: How many a call uses that does not say. 0: one for each processor that the process may use.
  ///   - lexicon: Whether the model's own lexicon comes before it.
  /// - Throws: ``G2PError``: there are no weights in the package, or those of another model.
  public convenience init(threads: Int = 0, lexicon: Bool = true) throws {
    guard let weights = Self.weights else {
      let message = "the package has no weights: put a weights archive at Sources/G2P/Weights/weights.tar"
      throw G2PError(status: .noFile, word: nil, message: message)
    }
    try self.init(weights: weights, threads: threads, lexicon: lexicon)
  }
}
