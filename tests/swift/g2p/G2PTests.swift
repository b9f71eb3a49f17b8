import Foundation
import XCTest

import G2P

final class G2PTests: XCTestCase {
  /// Enough words to be cancelled in the middle of.
  static let many: [String] = {
    let letters = "abcdefghijklmnopqrstuvwxyz".map(String.init)
    return letters.flatMap { a in letters.flatMap { b in letters.map { "word" + a + b + $0 } } }
  }()

  func failure<Value>(_ call: () throws -> Value) -> G2PError? {
    do {
      _ = try call()
      return nil
    } catch {
      return error as? G2PError
    }
  }

  func testTheGoldenWords() throws {
    let g2p = try G2P(lexicon: false)
    let file = URL(fileURLWithPath: ProcessInfo.processInfo.environment["G2P_GOLDEN"]!)
    let rows = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map { $0.split(separator: "\t") }
    XCTAssertEqual(rows.count, 60)
    for row in rows {
      XCTAssertEqual(try g2p.pronounce(String(row[1]), language: String(row[0])), String(row[2]))
    }
  }

  func testWhatAModelIs() throws {
    let g2p = try G2P(threads: 1)
    XCTAssertEqual(g2p.languages?.first, "eng-us")
    XCTAssertTrue(g2p.info.hasPrefix("{"))
    XCTAssertEqual(try g2p.pronounce(["tie", "yö"], language: "fin"), ["ˈtie", "ˈyø"])
    XCTAssertEqual(try g2p.pronounce([], language: "fin"), [])
  }

  func testErrors() throws {
    let g2p = try G2P()
    XCTAssertEqual(failure { try g2p.pronounce("tie", language: "xx") }?.status, .unknownLanguage)
    XCTAssertEqual(failure { try g2p.pronounce("tie", language: "fi\0n") }?.status, .unknownLanguage)
    let wrong = failure { try g2p.pronounce(["tie", "2nd"], language: "eng-us") }
    XCTAssertEqual(wrong?.status, .foreignCharacter)
    XCTAssertEqual(wrong?.word, 1)
    XCTAssertEqual(wrong.map { "\($0)".contains("2nd") }, true)
    XCTAssertEqual(failure { try G2P(weights: URL(fileURLWithPath: "/nowhere")) }?.status, .noFile)
    XCTAssertNil(failure { try G2P(weights: URL(fileURLWithPath: "/nowhere")) }?.word)
  }

  func testResults() throws {
    let g2p = try G2P()
    let results = try g2p.results(["tie", "2nd", "", "knight"], language: "eng-us", scores: true)
    XCTAssertEqual(results.map(\.error?.status), [nil, .foreignCharacter, .emptyWord, nil])
    XCTAssertEqual(results.map(\.error?.word), [nil, 1, 2, nil])
    XCTAssertEqual(results[3].phonemes, "ˈnaɪt")
    XCTAssertEqual(results[1].phonemes, "")
    XCTAssertTrue(results.allSatisfy { $0.score <= 0 && !$0.isTruncated && !$0.repeats })
  }

  func testTheBestOfSeveral() throws {
    let g2p = try G2P()
    let plain = try g2p.results(["qrstu"], language: "eng-us", scores: true)[0]
    let best = try g2p.best(["qrstu", "2nd", "tie"], language: "eng-us", count: 2, beams: 4)
    XCTAssertEqual(best.map(\.count), [2, 1, 2])
    XCTAssertEqual(best[1][0].error?.word, 1)
    XCTAssertGreaterThanOrEqual(best[0][0].score, best[0][1].score)
    let one = try g2p.best(["qrstu"], language: "eng-us", count: 1, beams: 1, earlyStopping: true)
    XCTAssertEqual(one, [[plain]])
    XCTAssertEqual(failure { try g2p.best(["tie"], language: "fin", count: 5, beams: 4) }?.status, .invalidArgument)
    XCTAssertEqual(failure { try g2p.best(["tie"], language: "fin", count: -1) }?.status, .invalidArgument)
  }

  func testTagsAndACache() throws {
    let g2p = try G2P()
    XCTAssertEqual(try g2p.language("en-US"), "eng-us")
    XCTAssertEqual(failure { try g2p.language("es-ES") }?.status, .unknownLanguage)
    XCTAssertEqual(failure { try g2p.language("en\0") }?.status, .unknownLanguage)
    let before = try g2p.results(["tie", "yö"], language: "fi", scores: true)
    try g2p.cacheWords(10)
    XCTAssertEqual(try g2p.results(["tie", "yö"], language: "fin", scores: true), before)
    XCTAssertEqual(try g2p.results(["tie", "yö"], language: "fin", scores: true), before)
    XCTAssertEqual(failure { try g2p.cacheWords(1 << 30) }?.status, .invalidArgument)
  }

  func testTexts() throws {
    let parts = try G2P().text("Hello, 2 Londons 😀", language: "eng-us")
    XCTAssertEqual(parts.map(\.text).joined(), "Hello, 2 Londons 😀")
    XCTAssertEqual(parts.filter { $0.kind == .word }.map { $0.result!.word }, ["Hello", "Londons"])
    XCTAssertEqual(parts.filter { $0.kind == .number }.map(\.text), ["2"])
    XCTAssertTrue(parts.allSatisfy { ($0.result != nil) == ($0.kind == .word) })
  }

  func testWhatTheExampleShows() async throws {
    let text = try await shown(G2P(), "tie, 2nd", "eng-us")
    XCTAssertTrue(text.hasPrefix("ˈtaɪ, ['2'"), text)
  }

  func testTheAppsOwnWords() throws {
    let g2p = try G2P()
    try g2p.add(words: ["tie": "T"], language: "fin")
    let own = try g2p.results(["tie"], language: "fin")[0]
    XCTAssertEqual(own.phonemes, "T")
    XCTAssertEqual(own.source, .user)
    XCTAssertEqual(try g2p.results(["tie"], language: "fin", lexicons: false)[0].source, .model)
    XCTAssertEqual(failure { try g2p.add(lexicon: "tie", language: "fin") }?.status, .invalidLexicon)
  }

  func testAsynchronousCalls() async throws {
    let g2p = try G2P()
    let word = try await g2p.pronounce("tie", language: "fin")
    XCTAssertEqual(word, "ˈtie")
    let best = try await g2p.best(["tie"], language: "fin", count: 2)
    XCTAssertEqual(best[0].map(\.word), ["tie", "tie"])
    let parts = try await g2p.text("tie", language: "fin")
    XCTAssertEqual(parts[0].result?.phonemes, "ˈtie")
    try await withThrowingTaskGroup(of: [String].self) { group in
      for _ in 0..<8 { group.addTask { try await g2p.pronounce(["tie", "yö"], language: "fin") } }
      for try await said in group { XCTAssertEqual(said, ["ˈtie", "ˈyø"]) }
    }
    do {
      _ = try await g2p.pronounce("2nd", language: "eng-us")
      XCTFail("nothing was wrong")
    } catch let error as G2PError {
      XCTAssertEqual(error.status, .foreignCharacter)
    }
  }

  func testATaskThatIsCancelledStops() async throws {
    let g2p = try G2P(threads: 1)
    let begin = Date()
    let task = Task { () async throws -> [Pronunciation] in
      try await g2p.results(G2PTests.many, language: "eng-us")
    }
    try await Task.sleep(nanoseconds: 100_000_000)
    task.cancel()
    let result = await task.result
    XCTAssertThrowsError(try result.get()) { XCTAssertTrue($0 is CancellationError) }
    XCTAssertLessThan(Date().timeIntervalSince(begin), 2)
    let before = Task { () -> String in
      try await Task.sleep(nanoseconds: 10_000_000_000)
      return try await g2p.pronounce("tie", language: "fin")
    }
    before.cancel()
    let none = await before.result
    XCTAssertThrowsError(try none.get()) { XCTAssertTrue($0 is CancellationError) }
  }

  func testAListOfAnyLength() async throws {
    let g2p = try G2P()
    var asked = 0
    let endless = AnyIterator { () -> String? in
      asked += 1
      return "tie"
    }
    var said: [String] = []
    for try await result in g2p.stream(endless, language: "fin", chunk: 4) {
      said.append(result.phonemes)
      if said.count == 6 { break }
    }
    XCTAssertEqual(said, Array(repeating: "ˈtie", count: 6))
    XCTAssertEqual(asked, 8)
  }
}
