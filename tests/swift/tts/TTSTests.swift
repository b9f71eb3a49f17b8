import Foundation
import XCTest

import TTS

final class TTSTests: XCTestCase {
  static let line = "həlˈO wˈɜɹld. ðɪs ɪz ə tˈɛst, ænd ənˈʌðəɹ."

  /// Enough to be cancelled in the middle of.
  static let long = String(repeating: line + " ", count: 200)

  /// What Python's runtime said.
  func expected(_ name: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: ProcessInfo.processInfo.environment["TTS_EXPECTED"]! + "/" + name))
  }

  func bytes(_ samples: [Float]) -> Data {
    samples.withUnsafeBytes { Data($0) }
  }

  func failure<Value>(_ call: () throws -> Value) -> TTSError? {
    do {
      _ = try call()
      return nil
    } catch {
      return error as? TTSError
    }
  }

  /// Seconds that this process computes in some time.
  func computed(in seconds: Double) async throws -> Double {
    let before = clock()
    try await Task.sleep(nanoseconds: UInt64(seconds * 1e9))
    return Double(clock() - before) / Double(CLOCKS_PER_SEC)
  }

  func testWhatAModelIs() throws {
    let speech = try TTS(threads: 1)
    XCTAssertEqual(speech.voices, ["first", "second"])
    XCTAssertEqual(speech.limits.symbols, 510)
    XCTAssertEqual(speech.limits.sampleRate, 24000)
    XCTAssertEqual(speech.limits.frame, 600)
    XCTAssertEqual([speech.limits.slowest, speech.limits.fastest], [0.25, 4])
    XCTAssertTrue(speech.languages.contains("eng-us"))
    XCTAssertTrue(speech.info.hasPrefix("{"))
    XCTAssertEqual(try TTS(weights: TTS.weights!, voices: TTS.voices!).voices, speech.voices)
    try speech.add(voices: TTS.voices!)
    XCTAssertEqual(speech.voices, ["first", "second"])
  }

  func testItSaysWhatPythonSays() throws {
    let speech = try TTS()
    let plain = try speech.say(TTSTests.line, voice: "first", speed: 1.2, seed: 7)
    XCTAssertEqual(bytes(plain), try expected("plain"))
    let mixed = try speech.say(TTSTests.line, voice: ["second": 0.3, "first": 0.9])
    XCTAssertEqual(bytes(mixed), try expected("mixed"))
    XCTAssertEqual(bytes(try speech.say("hə😀l?", voice: Voice("second"), skipUnknown: true)), try expected("skipped"))
    speech.trim()
    XCTAssertEqual(try TTS(threads: 1).say(TTSTests.line, voice: "first", speed: 1.2, seed: 7), plain)
  }

  func testPieces() async throws {
    let speech = try TTS()
    var pieces: [Piece] = []
    for try await piece in speech.speak(TTSTests.line, voice: "first", seed: 3, early: true) { pieces.append(piece) }
    XCTAssertGreaterThan(pieces.count, 1)
    XCTAssertEqual(bytes(pieces.flatMap(\.samples)), try expected("early"))
    var first = 0
    for piece in pieces {
      XCTAssertEqual(piece.first, first)
      first += piece.samples.count
    }
    let scalars = TTSTests.line.unicodeScalars
    let timings = pieces.flatMap(\.timings).map { timing in
      let place = scalars.distance(from: scalars.startIndex, to: timing.range.lowerBound)
      return "\(place) \(TTSTests.line[timing.range]) \(timing.first) \(timing.samples)\n"
    }
    XCTAssertEqual(timings.joined(), String(decoding: try expected("timings"), as: UTF8.self))
  }

  func testEachLoopSpeaksAnew() async throws {
    let speech = try TTS()
    let pieces = speech.speak(TTSTests.line, voice: "second")
    var said: [[Float]] = []
    for _ in 0..<2 {
      var iterator = pieces.makeAsyncIterator()
      var sound: [Float] = []
      while let piece = try await iterator.next() { sound += piece.samples }
      let after = try await iterator.next()
      XCTAssertNil(after)
      said.append(sound)
    }
    XCTAssertEqual(said[0], said[1])
  }

  func testManyAtOnce() async throws {
    let speech = try TTS(threads: 1)
    let alone = try await speech.say(TTSTests.line, voice: "first")
    try await withThrowingTaskGroup(of: [Float].self) { group in
      for number in 0..<8 {
        group.addTask {
          if number % 2 == 0 { return try await speech.say(TTSTests.line, voice: "first") }
          var sound: [Float] = []
          for try await piece in speech.speak(TTSTests.line, voice: "first") { sound += piece.samples }
          return sound
        }
      }
      for try await sound in group { XCTAssertEqual(sound, alone) }
    }
  }

  func testErrors() async throws {
    let speech = try TTS()
    let wrong = "ən ə\u{303}😀 hˈI"
    let unknown = failure { try speech.say(wrong, voice: "first") }  // on this thread
    XCTAssertEqual(unknown?.status, .unknownPhoneme)
    XCTAssertEqual(unknown?.place.map { wrong.unicodeScalars[$0] }, "\u{303}")
    XCTAssertEqual(unknown?.message.contains("(U+0303), character 5 of the phonemes"), true)
    XCTAssertEqual(failure { try speech.say("", voice: "first") }?.status, .emptyWord)
    XCTAssertEqual(failure { try speech.say("hˈI", voice: "third") }?.status, .unknownVoice)
    XCTAssertEqual(
      failure { try speech.say("hˈI", voice: "third") }?.description,
      "no voice is named 'third': there is first, second")
    XCTAssertEqual(failure { try speech.say("hˈI", voice: "first\0") }?.status, .unknownVoice)
    for speed: Float in [0, -1, 0.2, 4.1, .nan, .infinity] {
      XCTAssertEqual(failure { try speech.say("hˈI", voice: "first", speed: speed) }?.status, .invalidArgument)
    }
    let mixtures: [Voice] = [[:], ["first": -1], ["first": .nan], ["first": 0], Voice(mixing: Array(repeating: ("first", 1), count: 9))]
    for mixture in mixtures {
      XCTAssertEqual(failure { try speech.say("hˈI", voice: mixture) }?.status, .invalidArgument)
    }
    XCTAssertNil(failure { try speech.say("hˈI", voice: "third") }?.place)
    XCTAssertEqual(failure { try TTS(weights: URL(fileURLWithPath: "/nowhere"), voices: TTS.voices!) }?.status, .noFile)
    XCTAssertEqual(failure { try TTS(weights: TTS.weights!, voices: TTS.weights!) }?.status, .invalidVoices)
    var iterator = speech.speak(wrong, voice: "first").makeAsyncIterator()
    do {
      _ = try await iterator.next()
      XCTFail("nothing was wrong")
    } catch let error as TTSError {
      XCTAssertEqual(error, unknown)
    }
    let after = try await iterator.next()
    XCTAssertNil(after)
  }

  func testATaskThatIsCancelledStops() async throws {
    let speech = try TTS(threads: 1)
    let calls: [@Sendable () async throws -> Void] = [
      { _ = try await speech.say(TTSTests.long, voice: "first") },
      { for try await _ in speech.speak(TTSTests.long, voice: "first") {} },
    ]
    for call in calls {
      let task = Task { try await call() }
      try await Task.sleep(nanoseconds: 300_000_000)
      let begin = Date()
      task.cancel()
      let result = await task.result
      XCTAssertThrowsError(try result.get()) { XCTAssertTrue($0 is CancellationError) }
      XCTAssertLessThan(Date().timeIntervalSince(begin), 0.5)
      let after = try await computed(in: 0.3)
      XCTAssertLessThan(after, 0.1)
    }
    let before = Task { () -> [Float] in
      try? await Task.sleep(nanoseconds: 10_000_000_000)
      return try await speech.say("hˈI", voice: "first")
    }
    before.cancel()
    let none = await before.result
    XCTAssertThrowsError(try none.get()) { XCTAssertTrue($0 is CancellationError) }
  }

  func testATaskThatIsCancelledBetweenPiecesGetsNoMore() async throws {
    let speech = try TTS(threads: 1)
    let task = Task {
      var count = 0
      for try await _ in speech.speak(TTSTests.line, voice: "first") {
        count += 1
        try? await Task.sleep(nanoseconds: 10_000_000_000)  // until it is cancelled; then the last piece is made
      }
      return count
    }
    try await Task.sleep(nanoseconds: 1_000_000_000)
    task.cancel()
    let result = await task.result
    XCTAssertThrowsError(try result.get()) { XCTAssertTrue($0 is CancellationError) }
  }

  func testALoopThatIsLeftEndsTheWork() async throws {
    let speech = try TTS(threads: 1)
    for try await _ in speech.speak(TTSTests.long, voice: "first", early: true) { break }
    try await Task.sleep(nanoseconds: 200_000_000)
    let after = try await computed(in: 0.3)
    XCTAssertLessThan(after, 0.1)
  }

  func testTheModelIsAtMostTwoPiecesAhead() async throws {
    let speech = try TTS(threads: 1)
    var iterator = speech.speak(TTSTests.long, voice: "first", early: true).makeAsyncIterator()
    _ = try await iterator.next()
    try await Task.sleep(nanoseconds: 1_000_000_000)  // time for the two
    let waiting = try await computed(in: 0.3)
    XCTAssertLessThan(waiting, 0.1)
    _ = try await iterator.next()
    _ = try await iterator.next()
    _ = try await iterator.next()  // is made now
  }
}
