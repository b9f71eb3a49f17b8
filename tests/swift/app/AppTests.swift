import Foundation
import XCTest

import G2P
import TTS

/// Both kits in one program.
final class AppTests: XCTestCase {
  func testATextIsReadAsPythonReadsIt() async throws {
    let (g2p, speech) = (try G2P(), try TTS())
    let folder = ProcessInfo.processInfo.environment["TTS_EXPECTED"]!
    let text = try String(contentsOf: URL(fileURLWithPath: folder + "/text"), encoding: .utf8)
    let read = try String(contentsOf: URL(fileURLWithPath: folder + "/read"), encoding: .utf8)
    let phonemes = try await speech.read(text, language: "eng-us", using: g2p.withLibrary)
    XCTAssertEqual(phonemes, read)
    let here = { try speech.read($0, language: "eng-us", using: g2p.withLibrary) }  // on this thread
    XCTAssertEqual(try here(text), read)
    XCTAssertEqual(try here(""), "")
    let sound = try await speech.say(phonemes, voice: "first")
    XCTAssertFalse(sound.isEmpty)
  }

  func testWhatIsWrongWithATextHasItsPlace() throws {
    let (g2p, speech) = (try G2P(), try TTS())
    func failure(_ text: String, _ language: String = "eng-us") -> TTSError? {
      do {
        _ = try speech.read(text, language: language, using: g2p.withLibrary)
        return nil
      } catch {
        return error as? TTSError
      }
    }
    let text = "No, “слово” has no place here"
    XCTAssertEqual(failure("It has 12 words")?.status, .foreignCharacter)
    XCTAssertEqual(failure("It has 12 words")?.place, "It has 12 words".firstIndex(of: "1"))
    XCTAssertEqual(failure(text)?.place, text.firstIndex(of: "с"))  // of another alphabet
    XCTAssertEqual(failure("tie", "fin")?.status, .unknownLanguage)
    XCTAssertEqual(failure("tie", "eng-us\0")?.status, .unknownLanguage)
    XCTAssertNil(failure("tie", "fin")?.place)
  }

  func testATaskThatIsCancelledReadsNoFurther() async throws {
    let (g2p, speech) = (try G2P(threads: 1, lexicon: false), try TTS())
    let long = String(repeating: "knight pronounce families ", count: 10000)
    let task = Task { try await speech.read(long, language: "eng-us", using: g2p.withLibrary) }
    try await Task.sleep(nanoseconds: 300_000_000)
    let begin = Date()
    task.cancel()
    let result = await task.result
    XCTAssertThrowsError(try result.get()) { XCTAssertTrue($0 is CancellationError) }
    XCTAssertLessThan(Date().timeIntervalSince(begin), 0.5)
  }

  func testBothSpeakAtTheSameTime() async throws {
    let (g2p, speech) = (try G2P(), try TTS())
    let word = try await g2p.pronounce("knight", language: "eng-us")
    let alone = try await speech.say("nˈIt.", voice: "first")
    async let words = g2p.pronounce(Array(repeating: "knight", count: 200), language: "eng-us")
    async let sound = speech.say("nˈIt.", voice: "first")
    let (said, heard) = try await (words, sound)
    XCTAssertEqual(said, Array(repeating: word, count: 200))
    XCTAssertEqual(heard, alone)
  }
}
