import CG2P

/// What went wrong.
public struct G2PError: Error, Sendable, Hashable, CustomStringConvertible {
  /// Why.
  public enum Status: UInt32, Sendable {
    case cancelled = 1
    case noMemory = 2
    case invalidArgument = 3
    case emptyWord = 4
    case invalidWord = 5
    case wordTooLong = 6
    case unknownLanguage = 7
    case tooSmall = 8
    case noFile = 9
    case invalidWeights = 10
    case invalidManifest = 11
    case newerManifest = 12
    case wrongDigest = 13
    case unsupportedCPU = 14
    case unsupported = 15
    case foreignCharacter = 16
    case invalidLexicon = 17
    case invalidDraft = 18

    /// One that a newer library has.
    case other = 0xffff_ffff
  }

  public let status: Status

  /// Which of the words, from 0; nil where it was none of them.
  public let word: Int?

  /// One line, for the person at the keyboard.
  public let message: String

  public var description: String { message }

  init(status: Status, word: Int?, message: String) {
    self.status = status
    self.word = word
    self.message = message
  }

  init(_ error: g2p_error) {
    let message = withUnsafeBytes(of: error.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    self.init(
      status: Status(rawValue: UInt32(error.status.rawValue)) ?? .other,
      word: error.word == Int.max || error.word < 0 ? nil : Int(error.word),
      message: message)
  }
}

/// One word, pronounced.
public struct Pronunciation: Sendable, Hashable {
  /// Where a pronunciation comes from.
  public enum Source: UInt32, Sendable {
    case model = 0

    /// A table that came with the weights.
    case lexicon = 1

    /// A list that the app added.
    case user = 2

    /// A word in capitals, spelled by the names of its letters.
    case letters = 3
  }

  /// As it was given.
  public let word: String

  /// Empty where there is an error.
  public let phonemes: String

  /// What is wrong with the word; nil where nothing is.
  public let error: G2PError?

  public let source: Source

  /// The bound was reached, and the model had not ended the word.
  public let isTruncated: Bool

  /// The pronunciation ends in one part again and again, at least four times.
  public let repeats: Bool

  /// Mean natural log-probability, where it was asked for, as always by a search; 0 where the model was not asked.
  public let score: Float

  init(_ word: String, number: Int, _ result: g2p_result) {
    self.word = word
    phonemes = String(result.phonemes)
    source = Source(rawValue: UInt32(result.source.rawValue)) ?? .model
    isTruncated = result.truncated != 0
    repeats = result.repeats != 0
    score = result.score
    error =
      result.status == G2P_OK
      ? nil
      : G2PError(
        status: G2PError.Status(rawValue: UInt32(result.status.rawValue)) ?? .other,
        word: number,
        message: String(result.message))
  }
}

/// A part of a text. All parts together are the text.
public struct Part: Sendable, Hashable {
  /// What a part is.
  public enum Kind: Sendable {
    case word

    /// Has a digit and no letter: to be written out by the app, in the words of the language.
    case number
    case space
    case other

    init(_ part: g2p_part) {
      switch part {
      case G2P_PART_WORD: self = .word
      case G2P_PART_NUMBER: self = .number
      case G2P_PART_SPACE: self = .space
      default: self = .other
      }
    }
  }

  /// As it was given.
  public let text: String
  public let kind: Kind

  /// Of a word; nil for other parts.
  public let result: Pronunciation?
}

/// Results of a list of any length: ``G2P/stream(_:language:chunk:)``.
public struct Pronunciations<Words: Sequence>: AsyncSequence where Words.Element == String {
  public typealias Element = Pronunciation

  let model: G2P
  let words: Words
  let language: String
  let chunk: Int

  public struct AsyncIterator: AsyncIteratorProtocol {
    let model: G2P
    let language: String
    let chunk: Int
    var words: Words.Iterator
    var finished: ArraySlice<Pronunciation> = []

    /// The next result.
    ///
    /// - Throws: ``G2PError``; `CancellationError` where the task was cancelled.
    public mutating func next() async throws -> Pronunciation? {
      if finished.isEmpty {
        var some: [String] = []
        while some.count < chunk, let word = words.next() { some.append(word) }
        if some.isEmpty { return nil }
        finished = try await model.results(some, language: language)[...]
      }
      return finished.removeFirst()
    }
  }

  public func makeAsyncIterator() -> AsyncIterator {
    AsyncIterator(model: model, language: language, chunk: chunk, words: words.makeIterator())
  }
}

extension String {
  /// A piece of text of the library's.
  init(_ text: g2p_text) {
    let bytes = UnsafeRawBufferPointer(start: text.data, count: text.size)
    self = String(decoding: bytes, as: UTF8.self)
  }
}
