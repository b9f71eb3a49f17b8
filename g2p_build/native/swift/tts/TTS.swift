import CTTS
import Foundation

/// A model that turns phonemes into sound, without a network.
///
/// ```swift
/// let speech = try TTS()
/// for try await piece in speech.speak("həlˈO wˈɜɹld.", voice: "af_heart") { play(piece.samples) }
/// ```
///
/// Any number of threads and tasks may use one model at the same time. The same phonemes, voice, speed and seed give the
/// same samples, on any number of threads. The model is freed with its last reference.
public final class TTS: @unchecked Sendable {
  /// Bounds of a model.
  public struct Limits: Sendable, Hashable {
    /// The most symbols that a piece has; longer phonemes are split.
    public let symbols: Int

    /// Of the sound, in hertz.
    public let sampleRate: Int

    /// Samples of a frame: each character lasts whole frames.
    public let frame: Int

    /// The least speed.
    public let slowest: Float

    /// The greatest speed.
    public let fastest: Float
  }

  private let model: OpaquePointer

  public let limits: Limits

  /// The codes of the languages whose texts it reads.
  public let languages: [String]

  /// What the model is, as a JSON object: symbols, target, languages.
  public let info: String

  /// Opens a model from its archives, which are mapped and must stay as they are.
  ///
  /// - Parameters:
  ///   - weights: The weights archive.
  ///   - voices: The archive of voices.
  ///   - threads: How many work on an utterance, one of them the caller's. 0: one for each processor that the process may
  ///     use.
  /// - Throws: ``TTSError``: an archive is not there, or not of this library.
  public init(weights: URL, voices: URL, threads: Int = 0) throws {
    var options = tts_options()
    options.size = MemoryLayout<tts_options>.size
    options.threads = UInt32(clamping: threads)
    var opened: OpaquePointer?
    try weights.withUnsafeFileSystemRepresentation { path in
      try checked { tts_open(path, &options, &opened, $0) }
    }
    model = opened!
    let bounds = tts_limits(model)
    limits = Limits(
      symbols: bounds.symbols, sampleRate: Int(bounds.sample_rate), frame: Int(bounds.frame), slowest: bounds.slowest,
      fastest: bounds.fastest)
    var count = 0
    let codes = tts_languages(model, &count)
    languages = codes.map { codes in (0..<count).map { String(cString: codes[$0]!) } } ?? []
    info = String(cString: tts_info(model))
    try add(voices: voices)
  }

  deinit {
    tts_close(model)
  }

  // MARK: Voices

  /// The names of the voices.
  public var voices: [String] {
    var names: [CChar] = [0]
    var needed = 0
    while tts_voices(model, &names, names.count, &needed, nil) == G2P_TOO_SMALL {
      names = [CChar](repeating: 0, count: needed)
    }
    return names.split(separator: 0).map { String(decoding: $0.map(UInt8.init(bitPattern:)), as: UTF8.self) }
  }

  /// Adds a file of voices, which is mapped and must stay as it is. A name that is there already stays what it was.
  ///
  /// - Throws: ``TTSError``: it is not there, or no file of this model's voices.
  public func add(voices: URL) throws {
    try voices.withUnsafeFileSystemRepresentation { path in try checked { tts_add_voices(model, path, $0) } }
  }

  // MARK: Sound

  /// The sound of phonemes, piece by piece, each as soon as it is made.
  ///
  /// Long phonemes are split at the ends of sentences, at other punctuation, at spaces. The work begins when the first
  /// piece is asked for, and is at most two pieces ahead of whoever takes them. It ends when the task is cancelled, or
  /// the loop is left.
  ///
  /// - Parameters:
  ///   - phonemes: What to say, with spaces and punctuation, which are spoken as pauses and melody.
  ///   - voice: One of ``voices``, or a mixture: `["af_heart": 0.3, "am_adam": 0.7]`.
  ///   - speed: 2 is twice as fast: see ``limits-swift.property``.
  ///   - seed: Of the noise that a voice is made of.
  ///   - early: Whether the first piece ends as soon as it may, so that it is there sooner.
  ///   - skipUnknown: Whether characters that the model has no symbol for are left out.
  /// - Returns: The pieces. What is wrong with the arguments, ``TTSError`` says in place of the first of them; then
  ///   nothing is spoken.
  public func speak(
    _ phonemes: String, voice: Voice, speed: Float = 1, seed: UInt64 = 0, early: Bool = false, skipUnknown: Bool = false
  ) -> Pieces {
    Pieces(
      utterance: Utterance(
        speech: self, phonemes: phonemes, voice: voice, speed: speed, seed: seed, early: early, skipUnknown: skipUnknown))
  }

  /// The whole sound of phonemes, made on the calling thread. Arguments are those of
  /// ``speak(_:voice:speed:seed:early:skipUnknown:)``.
  ///
  /// - Returns: Samples from -1 to 1, one channel, `limits.sampleRate` a second.
  /// - Throws: ``TTSError``; for a character without a symbol it has its place.
  public func say(_ phonemes: String, voice: Voice, speed: Float = 1, seed: UInt64 = 0, skipUnknown: Bool = false) throws
    -> [Float]
  {
    try speak(phonemes, voice: voice, speed: speed, seed: seed, skipUnknown: skipUnknown).utterance.said(nil)
  }

  /// The whole sound of phonemes, made off the calling thread.
  ///
  /// - Throws: ``TTSError``; `CancellationError` where the task was cancelled.
  public func say(_ phonemes: String, voice: Voice, speed: Float = 1, seed: UInt64 = 0, skipUnknown: Bool = false)
    async throws -> [Float]
  {
    let pieces = speak(phonemes, voice: voice, speed: speed, seed: seed, skipUnknown: skipUnknown)
    return try await stopping { try pieces.utterance.said($0) }
  }

  /// Gives back the memory that speaking has worked with. Between calls a model keeps that of its longest piece.
  public func trim() {
    tts_trim(model)
  }

  // MARK: Texts

  /// What lends a model that pronounces words: `withLibrary` of the class `G2P`, in the package of that name.
  public typealias Words = @Sendable (
    (_ model: OpaquePointer, _ nextPart: UnsafeRawPointer, _ pronounce: UnsafeRawPointer) throws -> Void
  ) throws -> Void

  /// What ``speak(_:voice:speed:seed:early:skipUnknown:)`` takes for a text: its words pronounced, and its punctuation.
  ///
  /// ```swift
  /// let phonemes = try speech.read("Hello, world.", language: "eng-us", using: g2p.withLibrary)  // "hɛlˈO, wˈɜɹld."
  /// ```
  ///
  /// - Parameters:
  ///   - text: Of any length. Numbers are written out.
  ///   - language: Of its words, one of ``languages``.
  ///   - words: `withLibrary` of a `G2P`, which pronounces them.
  /// - Throws: ``TTSError``: there is no table for the language, the text has a number, or a word cannot be pronounced or
  ///   said; ``TTSError/place`` says where that begins.
  public func read(_ text: String, language: String, using words: Words) throws -> String {
    try read(text, language, words, nil)
  }

  /// What is spoken for a text, off the calling thread.
  ///
  /// - Throws: ``TTSError``; `CancellationError` where the task was cancelled.
  public func read(_ text: String, language: String, using words: @escaping Words) async throws -> String {
    try await stopping { try self.read(text, language, words, $0) }
  }

  // MARK: How

  private func read(_ text: String, _ language: String, _ words: Words, _ flag: Flag?) throws -> String {
    if language.utf8.contains(0) {  // a language is a C string, which ends there
      throw TTSError(status: .unknownLanguage, place: nil, message: "a language's code has a zero in it")
    }
    var read = ""
    try words { words, nextPart, pronounce in
      try withText(text) { data in
        try language.withCString { code in
          var request = tts_text_request()
          request.size = MemoryLayout<tts_text_request>.size
          request.text = data
          request.lang = code
          request.g2p = words
          request.next_part = unsafeBitCast(nextPart, to: type(of: request.next_part))
          request.pronounce = unsafeBitCast(pronounce, to: type(of: request.pronounce))
          request.cancel = flag.map { UnsafePointer($0.pointer) }
          var phonemes = g2p_text()
          try checked(placing: text) { tts_text(model, &request, &phonemes, $0) }
          defer { tts_free_text(model, &phonemes) }
          read = String(decoding: UnsafeRawBufferPointer(start: phonemes.data, count: phonemes.size), as: UTF8.self)
        }
      }
    }
    return read
  }

  /// Speaks in this thread. What `take` does not want ends it.
  func speak(_ utterance: Utterance, _ flag: Flag?, _ take: @escaping (Piece) -> Bool) throws {
    try check(utterance)
    let voice = utterance.voice
    let names = voice.names.map { strdup($0) }
    defer { for name in names { free(name) } }
    let mixture = zip(names, voice.shares).map { tts_share(voice: UnsafePointer($0), weight: $1) }
    let receiver = Receiver(phonemes: utterance.phonemes, take: take)
    try mixture.withUnsafeBufferPointer { mixture in
      try withText(utterance.phonemes) { text in
        var request = tts_request()
        request.size = MemoryLayout<tts_request>.size
        request.phonemes = text
        request.mixture = mixture.baseAddress
        request.mixture_count = mixture.count
        request.speed = utterance.speed
        request.seed = utterance.seed
        request.flags =
          (utterance.early ? UInt32(TTS_EARLY) : 0)
          | (utterance.skipUnknown ? UInt32(TTS_SKIP_UNKNOWN) : 0)
        request.cancel = flag.map { UnsafePointer($0.pointer) }
        try withExtendedLifetime(receiver) {
          try checked(placing: utterance.phonemes) {
            tts_speak(model, &request, received, Unmanaged.passUnretained(receiver).toOpaque(), $0)
          }
        }
      }
    }
  }

  /// Says what C would say less well, or could not know: a name that ends at a zero is another name there.
  private func check(_ utterance: Utterance) throws {
    let voice = utterance.voice
    func refuse(_ message: String, _ status: TTSError.Status = .invalidArgument) throws -> Never {
      throw TTSError(status: status, place: nil, message: message)
    }
    if !(limits.slowest...limits.fastest).contains(utterance.speed) {
      try refuse("the speed is \(utterance.speed): give \(limits.slowest) to \(limits.fastest)")
    }
    if !(1...TTS_MOST_MIXED).contains(voice.names.count) {
      try refuse("the mixture has \(voice.names.count) voices: give 1 to \(TTS_MOST_MIXED)")
    }
    let there = voices
    if let unknown = voice.names.first(where: { !there.contains($0) }) {
      try refuse("no voice is named '\(unknown)': there is \(there.joined(separator: ", "))", .unknownVoice)
    }
  }
}

extension Flag {
  func raise() {
    tts_cancel(pointer)
  }
}

/// What is called with the pieces of an utterance.
private final class Receiver {
  let phonemes: String
  let take: (Piece) -> Bool

  init(phonemes: String, take: @escaping (Piece) -> Bool) {
    self.phonemes = phonemes
    self.take = take
  }
}

private func received(_ user: UnsafeMutableRawPointer?, _ piece: UnsafePointer<tts_piece>?) -> Int32 {
  let receiver = Unmanaged<Receiver>.fromOpaque(user!).takeUnretainedValue()
  return receiver.take(Piece(piece!.pointee, of: receiver.phonemes)) ? 0 : 1
}

/// Lends a text's bytes.
private func withText<Result>(_ text: String, _ body: (g2p_text) throws -> Result) rethrows -> Result {
  try Array(text.utf8).withUnsafeBufferPointer { bytes in
    try bytes.withMemoryRebound(to: CChar.self) { try body(g2p_text(data: $0.baseAddress, size: $0.count)) }
  }
}

/// Calls C, and throws what it says went wrong; a place in `text` as the text's own.
private func checked(placing text: String? = nil, _ call: (UnsafeMutablePointer<g2p_error>) -> g2p_status) throws {
  var error = g2p_error()
  let status = call(&error)
  if status == G2P_CANCELLED { throw CancellationError() }
  if status != G2P_OK { throw TTSError(error, text) }
}
