import CG2P
import Foundation

/// A model that pronounces words, without a network.
///
/// ```swift
/// let g2p = try G2P()
/// let phonemes = try await g2p.pronounce("knight", language: "eng-us")  // "ˈnaɪt"
/// ```
///
/// Any number of threads and tasks may use one model at the same time. Each function comes twice: one that computes on
/// the calling thread, for a millisecond a word or so, and one that is asynchronous, leaves the thread free, and stops
/// when its task is cancelled. The model is freed with its last reference.
public final class G2P: @unchecked Sendable {
  private let model: OpaquePointer

  /// The codes of the languages; nil where the model takes any code.
  public let languages: [String]?

  /// What the model is, as a JSON object: name, target, bounds, prompt.
  public let info: String

  /// Opens a model from its weights archive, a file that is mapped and must stay as it is.
  ///
  /// - Parameters:
  ///   - weights: The archive.
  ///   - threads: How many a call uses that does not say. 0: one for each processor that the process may use.
  ///   - lexicon: Whether the archive's own lexicon comes before the model.
  /// - Throws: ``G2PError``: the archive is not there, or not of this library.
  public init(weights: URL, threads: Int = 0, lexicon: Bool = true) throws {
    var options = g2p_options()
    options.size = MemoryLayout<g2p_options>.size
    options.threads = UInt32(clamping: threads)
    options.flags = lexicon ? 0 : UInt32(G2P_NO_LEXICON)
    var opened: OpaquePointer?
    try weights.withUnsafeFileSystemRepresentation { path in
      try checked { g2p_open(path, &options, &opened, $0) }
    }
    model = opened!
    var count = 0
    let codes = g2p_languages(model, &count)
    languages = codes.map { codes in (0..<count).map { String(cString: codes[$0]!) } }
    info = String(cString: g2p_info(model))
  }

  deinit {
    g2p_close(model)
  }

  // MARK: One word

  /// The phonemes of one word.
  ///
  /// - Throws: ``G2PError``: the word cannot be pronounced; ``G2PError/status`` says why.
  public func pronounce(_ word: String, language: String) throws -> String {
    try pronounce([word], language: language)[0]
  }

  /// The phonemes of one word, off the calling thread.
  ///
  /// - Throws: ``G2PError``; `CancellationError` where the task was cancelled.
  public func pronounce(_ word: String, language: String) async throws -> String {
    try await pronounce([word], language: language)[0]
  }

  // MARK: Lists

  /// The phonemes of words, in their order.
  ///
  /// - Throws: ``G2PError``: a word cannot be pronounced, and none is; ``G2PError/word`` says which.
  public func pronounce(_ words: [String], language: String) throws -> [String] {
    try ask(words, language, 0, nil).map(\.phonemes)
  }

  /// The phonemes of words, in their order, off the calling thread.
  ///
  /// - Throws: ``G2PError``; `CancellationError` where the task was cancelled.
  public func pronounce(_ words: [String], language: String) async throws -> [String] {
    try await stopping { try self.ask(words, language, 0, $0).map(\.phonemes) }
  }

  /// All that is known of each word, in their order. A wrong word ends nothing: its own result says what is wrong.
  ///
  /// - Parameters:
  ///   - words: Any, also wrong ones.
  ///   - language: The code of their language.
  ///   - scores: Whether results have scores, which cost a few percent.
  ///   - lexicons: Whether lexicons come before the model, and words in capitals are spelled.
  /// - Throws: ``G2PError``: the language is unknown, or there is no memory.
  public func results(_ words: [String], language: String, scores: Bool = false, lexicons: Bool = true) throws
    -> [Pronunciation]
  {
    try ask(words, language, flags(scores, lexicons), nil)
  }

  /// All that is known of each word, off the calling thread.
  ///
  /// - Throws: ``G2PError``; `CancellationError` where the task was cancelled.
  public func results(_ words: [String], language: String, scores: Bool = false, lexicons: Bool = true) async throws
    -> [Pronunciation]
  {
    try await stopping { try self.ask(words, language, self.flags(scores, lexicons), $0) }
  }

  /// The best pronunciations of each word, the best first, with their scores.
  ///
  /// They are those of beam search, as transformers' `generate` makes it. A word that a lexicon has gets its pronunciations
  /// from there; a wrong word has one, which says what is wrong.
  ///
  /// - Parameters:
  ///   - words: Any, also wrong ones.
  ///   - language: The code of their language.
  ///   - count: Pronunciations of each word, at most; no more than beams.
  ///   - beams: Beginnings that are kept at each step, up to 64.
  ///   - earlyStopping: Whether a search ends as soon as as many pronunciations as beams are whole.
  /// - Throws: ``G2PError``: the language is unknown, there is no memory, or too much is asked for.
  public func best(
    _ words: [String], language: String, count: Int = 3, beams: Int = 4, earlyStopping: Bool = false
  ) throws -> [[Pronunciation]] {
    try best(words, language, search(count, beams, earlyStopping), nil)
  }

  /// The best pronunciations of each word, off the calling thread.
  ///
  /// - Throws: ``G2PError``; `CancellationError` where the task was cancelled.
  public func best(
    _ words: [String], language: String, count: Int = 3, beams: Int = 4, earlyStopping: Bool = false
  ) async throws -> [[Pronunciation]] {
    try await stopping { try self.best(words, language, self.search(count, beams, earlyStopping), $0) }
  }

  /// Results of a list of any length, in its order, as they are asked for.
  ///
  /// ```swift
  /// for try await result in g2p.stream(words, language: "fin") { print(result.phonemes) }
  /// ```
  ///
  /// - Parameters:
  ///   - words: Any, also wrong ones.
  ///   - language: The code of their language.
  ///   - chunk: How many are pronounced at a time.
  public func stream<Words: Sequence>(_ words: Words, language: String, chunk: Int = 256) -> Pronunciations<Words>
  where Words.Element == String {
    Pronunciations(model: self, words: words, language: language, chunk: max(chunk, 1))
  }

  // MARK: Texts

  /// Splits a text at Unicode's word boundaries, and pronounces its words. Numbers, blanks and punctuation are kept.
  ///
  /// - Throws: ``G2PError``, as ``results(_:language:scores:lexicons:)-swift.method``.
  public func text(_ text: String, language: String) throws -> [Part] {
    try parts(text, language, nil)
  }

  /// Splits a text, and pronounces its words, off the calling thread.
  ///
  /// - Throws: ``G2PError``; `CancellationError` where the task was cancelled.
  public func text(_ text: String, language: String) async throws -> [Part] {
    try await stopping { try self.parts(text, language, $0) }
  }

  // MARK: Languages

  /// The model's own code for a BCP 47 tag: `eng-us` for `en-US`. Every function takes both.
  ///
  /// - Throws: ``G2PError``: the model does not know the language, or the tag may mean several; the message names them.
  public func language(_ tag: String) throws -> String {
    try check(tag)
    return try tag.withCString { tag in
      var code: UnsafePointer<CChar>?
      try checked { g2p_find_language(model, tag, &code, $0) }
      return String(cString: code!)
    }
  }

  // MARK: A cache

  /// Keeps what the model said of the words that were used last, so that it need not say it again. Results are the same.
  ///
  /// - Parameter count: How many words; 0, as at first, for none. Their memory is taken at once: half a kilobyte each, and
  ///   more with larger bounds.
  /// - Throws: ``G2PError``: there is no memory for so many.
  public func cacheWords(_ count: Int) throws {
    try checked { g2p_cache_words(model, max(count, 0), $0) }
  }

  // MARK: The app's own words

  /// Adds words, which come before the model and before words that were added earlier.
  ///
  /// - Parameters:
  ///   - words: A word → its pronunciation.
  ///   - language: The code of their language.
  /// - Throws: ``G2PError``: a word or a pronunciation is none.
  public func add(words: [String: String], language: String) throws {
    try add(lexicon: words.map { "\($0.key)\t\($0.value)\n" }.joined(), language: language)
  }

  /// Adds words from lines: a word, a tab, and its pronunciations with commas between them.
  ///
  /// - Throws: ``G2PError``: a line is none of these; its message says which.
  public func add(lexicon lines: String, language: String) throws {
    try check(language)
    let data = Array(lines.utf8)
    try checked { g2p_add_lexicon_memory(model, data, data.count, language, $0) }
  }

  // MARK: Speech

  /// Lends this model, with two functions of its C interface, to a speech model that reads a text aloud.
  ///
  /// ```swift
  /// let phonemes = try await speech.read("Hello, London.", language: "eng-us", using: g2p.withLibrary)  // of the package TTS
  /// ```
  ///
  /// - Parameter body: Takes the model, `g2p_next_part` and `g2p_pronounce`, which are good until it returns.
  public func withLibrary(
    _ body: (_ model: OpaquePointer, _ nextPart: UnsafeRawPointer, _ pronounce: UnsafeRawPointer) throws -> Void
  ) rethrows {
    let nextPart: NextPart = g2p_next_part
    let pronounce: Pronounce = g2p_pronounce
    try withExtendedLifetime(self) {
      try body(
        model, unsafeBitCast(nextPart, to: UnsafeRawPointer.self), unsafeBitCast(pronounce, to: UnsafeRawPointer.self))
    }
  }

  private typealias NextPart = @convention(c) (
    UnsafePointer<CChar>?, Int, Int, UnsafeMutablePointer<Int>?, UnsafeMutablePointer<g2p_part>?,
    UnsafeMutablePointer<g2p_error>?
  ) -> g2p_status

  private typealias Pronounce = @convention(c) (
    OpaquePointer?, UnsafePointer<CChar>?, UnsafePointer<CChar>?, UnsafeMutablePointer<CChar>?, Int,
    UnsafeMutablePointer<g2p_error>?
  ) -> g2p_status

  // MARK: How

  private func flags(_ scores: Bool, _ lexicons: Bool) -> UInt32 {
    UInt32(G2P_EACH) | (scores ? UInt32(G2P_SCORES) : 0) | (lexicons ? 0 : UInt32(G2P_MODEL))
  }

  /// A language is a C string, which ends at a zero.
  private func check(_ language: String) throws {
    if language.utf8.contains(0) {
      throw G2PError(status: .unknownLanguage, word: nil, message: "a language's code has a zero in it")
    }
  }

  private func search(_ count: Int, _ beams: Int, _ early: Bool) -> g2p_search {
    var search = g2p_search()
    search.size = MemoryLayout<g2p_search>.size
    search.count = UInt32(clamping: count)
    search.beams = UInt32(clamping: beams)
    search.early = early ? 1 : 0
    return search
  }

  private func best(_ words: [String], _ language: String, _ search: g2p_search, _ flag: Flag?) throws
    -> [[Pronunciation]]
  {
    var search = search
    var best = [[Pronunciation]](repeating: [], count: words.count)
    let found = try found(words, language, UInt32(G2P_EACH), flag) { g2p_best(model, $0, &search, $1, $2) }
    for (number, pronunciation) in found { best[number].append(pronunciation) }
    return best
  }

  private func ask(_ words: [String], _ language: String, _ flags: UInt32, _ flag: Flag?) throws -> [Pronunciation] {
    try found(words, language, flags, flag) { g2p_results_all(model, $0, $1, $2) }.map(\.pronunciation)
  }

  private typealias Call = (
    UnsafePointer<g2p_request>, UnsafeMutablePointer<g2p_results>, UnsafeMutablePointer<g2p_error>
  ) -> g2p_status

  /// The results of a call, and which of the words each is of.
  private func found(_ words: [String], _ language: String, _ flags: UInt32, _ flag: Flag?, _ call: Call) throws
    -> [(number: Int, pronunciation: Pronunciation)]
  {
    try check(language)
    var bytes: [CChar] = []
    var ends: [Int] = []
    for word in words {
      bytes.append(contentsOf: word.utf8.lazy.map { CChar(bitPattern: $0) })
      ends.append(bytes.count)
    }
    return try bytes.withUnsafeBufferPointer { bytes in
      var start = 0
      let texts = ends.map { end -> g2p_text in
        defer { start = end }
        return g2p_text(data: bytes.baseAddress.map { $0 + start }, size: end - start)
      }
      return try texts.withUnsafeBufferPointer { texts in
        try language.withCString { code in
          var request = g2p_request()
          request.size = MemoryLayout<g2p_request>.size
          request.words = texts.baseAddress
          request.count = words.count
          request.lang = code
          request.flags = flags
          request.cancel = flag.map { UnsafePointer($0.pointer) }
          var found = g2p_results()
          try checked { call(&request, &found, $0) }
          defer { g2p_free_results(model, &found) }
          return (0..<found.count).map {
            let result = found.data[$0]
            let number = Int(result.word)
            return (number, Pronunciation(words[number], number: number, result))
          }
        }
      }
    }
  }

  private func parts(_ text: String, _ language: String, _ flag: Flag?) throws -> [Part] {
    let bytes = Array(text.utf8)
    var found: [(kind: Part.Kind, text: String)] = []
    try bytes.withUnsafeBufferPointer { whole in
      try whole.withMemoryRebound(to: CChar.self) { data in
        var start = 0
        while start < bytes.count {
          var end = 0
          var part = G2P_PART_OTHER
          try checked { g2p_next_part(data.baseAddress, bytes.count, start, &end, &part, $0) }
          found.append((Part.Kind(part), String(decoding: bytes[start..<end], as: UTF8.self)))
          start = end
        }
      }
    }
    let words = found.filter { $0.kind == .word }.map(\.text)
    var results = try ask(words, language, flags(false, true), flag).makeIterator()
    return found.map { Part(text: $0.text, kind: $0.kind, result: $0.kind == .word ? results.next() : nil) }
  }
}

extension Flag {
  func raise() {
    g2p_cancel(pointer)
  }
}

/// Calls C, and throws what it says went wrong.
private func checked(_ call: (UnsafeMutablePointer<g2p_error>) -> g2p_status) throws {
  var error = g2p_error()
  let status = call(&error)
  if status == G2P_CANCELLED { throw CancellationError() }
  if status != G2P_OK { throw G2PError(error) }
}
