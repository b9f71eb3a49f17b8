import Foundation

/// What is said, by whom and how.
struct Utterance: Sendable {
  let speech: TTS
  let phonemes: String
  let voice: Voice
  let speed: Float
  let seed: UInt64
  let early: Bool
  let skipUnknown: Bool

  /// All of its sound, made on the calling thread.
  func said(_ flag: Flag?) throws -> [Float] {
    var sound: [Float] = []
    try speech.speak(self, flag) { piece in
      sound += piece.samples
      return true
    }
    return sound
  }
}

/// The pieces of an utterance, in their order: ``TTS/speak(_:voice:speed:seed:early:skipUnknown:)``.
///
/// Each loop over them speaks anew.
public struct Pieces: AsyncSequence, Sendable {
  public typealias Element = Piece

  let utterance: Utterance

  public struct AsyncIterator: AsyncIteratorProtocol {
    let utterance: Utterance
    private var speaking: Speaking?

    init(utterance: Utterance) {
      self.utterance = utterance
    }

    /// The next piece.
    ///
    /// - Throws: ``TTSError``; `CancellationError` where the task was cancelled.
    public mutating func next() async throws -> Piece? {
      let speaking = self.speaking ?? Speaking(utterance)
      self.speaking = speaking
      return try await speaking.counter.take()
    }
  }

  public func makeAsyncIterator() -> AsyncIterator {
    AsyncIterator(utterance: utterance)
  }
}

/// An utterance in a thread of its own, which ends when nobody has this any more.
private final class Speaking {
  let counter = Counter()

  init(_ utterance: Utterance) {
    let thread = Thread { [counter] in
      counter.close(
        Result<Piece?, any Error> {
          try utterance.speech.speak(utterance, counter.flag) { counter.give($0) }
          return nil
        })
    }
    thread.name = "tts"
    thread.start()
  }

  deinit {
    counter.stop()
  }
}

/// Over which the thread that makes pieces hands them to the task that takes them. One lies there at most.
private final class Counter: @unchecked Sendable {
  let flag = Flag()
  private let condition = NSCondition()
  private var piece: Piece?
  private var taker: CheckedContinuation<Piece?, any Error>?
  private var end: Result<Piece?, any Error>?
  private var isStopped = false

  /// Hands a piece over, and waits until there is room for it. Gives whether another is wanted.
  func give(_ made: Piece) -> Bool {
    condition.lock()
    defer { condition.unlock() }
    while piece != nil, !isStopped { condition.wait() }
    if isStopped { return false }
    if let taker {
      self.taker = nil
      taker.resume(returning: made)
    } else {
      piece = made
    }
    return true
  }

  /// There are no more pieces, or an error in their place.
  func close(_ last: Result<Piece?, any Error>) {
    condition.lock()
    defer { condition.unlock() }
    end = last
    if let taker { resume(taker) }
    taker = nil
  }

  /// Waits for a piece.
  func take() async throws -> Piece? {
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        condition.lock()
        defer { condition.unlock() }
        if let piece {
          self.piece = nil
          condition.signal()
          continuation.resume(returning: piece)
        } else if end != nil {
          resume(continuation)
        } else {
          taker = continuation
        }
      }
    } onCancel: {
      stop()
    }
  }

  /// Ends the work.
  func stop() {
    flag.raise()
    condition.lock()
    isStopped = true
    piece = nil
    condition.signal()
    condition.unlock()
  }

  /// Says how it ended, and from then on that there are no more.
  private func resume(_ continuation: CheckedContinuation<Piece?, any Error>) {
    continuation.resume(with: isStopped ? .failure(CancellationError()) : end!)
    (end, isStopped) = (.success(nil), false)
  }
}
