import CTTS

/// What went wrong.
public struct TTSError: Error, Sendable, Hashable, CustomStringConvertible {
  /// Why.
  public enum Status: UInt32, Sendable {
    case cancelled = 1
    case noMemory = 2
    case invalidArgument = 3

    /// There is nothing to say.
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

    /// A text has a number, or a word that is not of its language.
    case foreignCharacter = 16
    case invalidLexicon = 17
    case invalidDraft = 18

    /// The model has no symbol for a character of the phonemes.
    case unknownPhoneme = 19
    case unknownVoice = 20
    case invalidVoices = 21

    /// One that a newer library has.
    case other = 0xffff_ffff
  }

  public let status: Status

  /// Where in the phonemes, or in the text, it is; nil where it is in neither.
  public let place: String.Index?

  /// One line, for the person at the keyboard.
  public let message: String

  public var description: String { message }

  init(status: Status, place: String.Index?, message: String) {
    self.status = status
    self.place = place
    self.message = message
  }

  init(_ error: g2p_error, _ text: String?) {
    let status = Status(rawValue: UInt32(error.status.rawValue)) ?? .other
    var place: String.Index?
    if let bytes = text?.utf8, (0..<bytes.count).contains(error.word) {
      place = bytes.index(bytes.startIndex, offsetBy: error.word)
    }
    var message = withUnsafeBytes(of: error.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    if status == .unknownPhoneme, let text, let place {
      let symbol = text.unicodeScalars[place]
      let number = text.unicodeScalars.distance(from: text.startIndex, to: place) + 1
      let code = String(symbol.value, radix: 16, uppercase: true)
      let point = String(repeating: "0", count: max(4 - code.count, 0)) + code
      message =
        "the model has no symbol for '\(symbol)' (U+\(point)), character \(number) of the phonemes: give another, or "
        + "skipUnknown"
    }
    self.init(status: status, place: place, message: message)
  }
}

/// Who speaks: a voice, by its name, or several with a share each.
///
/// ```swift
/// speech.speak(phonemes, voice: "af_heart")
/// speech.speak(phonemes, voice: ["af_heart": 0.3, "am_adam": 0.7])
/// ```
public struct Voice: Sendable, Hashable, ExpressibleByStringLiteral, ExpressibleByDictionaryLiteral {
  let names: [String]
  let shares: [Float]

  /// One voice.
  public init(_ name: String) {
    self.init(mixing: [(name, 1)])
  }

  /// A mixture of up to 8 voices. Shares are taken in proportion.
  public init(mixing shares: [(name: String, share: Float)]) {
    names = shares.map(\.name)
    self.shares = shares.map(\.share)
  }

  public init(stringLiteral name: String) {
    self.init(name)
  }

  public init(dictionaryLiteral shares: (String, Float)...) {
    self.init(mixing: shares.map { (name: $0.0, share: $0.1) })
  }
}

/// Where a character of the phonemes is in the sound.
public struct Timing: Sendable, Hashable {
  /// The character, which is one Unicode scalar, in the phonemes.
  public let range: Range<String.Index>

  /// Its first sample, of the utterance.
  public let first: Int

  /// How many samples it has.
  public let samples: Int
}

/// A piece of an utterance. The samples of all, one behind the other, are the utterance.
public struct Piece: Sendable, Hashable {
  /// Its first sample, of the utterance.
  public let first: Int

  /// From -1 to 1, one channel.
  public let samples: [Float]

  /// Of its characters, in their order. Before the first and behind the last is some silence.
  public let timings: [Timing]

  /// A copy of what the library made.
  init(_ piece: tts_piece, of phonemes: String) {
    first = Int(piece.first)
    samples = Array(UnsafeBufferPointer(start: piece.samples, count: piece.samples_count))
    let bytes = phonemes.utf8
    var (place, byte) = (bytes.startIndex, 0)
    timings = UnsafeBufferPointer(start: piece.timings, count: piece.timings_count).map { timing in
      let start = bytes.index(place, offsetBy: timing.start - byte)
      let end = bytes.index(start, offsetBy: timing.size)
      (place, byte) = (end, timing.start + timing.size)
      return Timing(range: start..<end, first: Int(timing.first), samples: Int(timing.samples))
    }
  }
}
