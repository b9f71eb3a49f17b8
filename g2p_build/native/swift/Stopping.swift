import Dispatch

/// What stops a call: the number that a request's `cancel` points to. `raise` is the C interface's own.
final class Flag: @unchecked Sendable {
  let pointer = UnsafeMutablePointer<Int32>.allocate(capacity: 1)

  init() {
    pointer.initialize(to: 0)
  }

  deinit {
    pointer.deallocate()
  }
}

/// Runs a call on a thread that is no task's, and stops it when the task is cancelled.
func stopping<Value: Sendable>(_ call: @escaping @Sendable (Flag) throws -> Value) async throws -> Value {
  let flag = Flag()
  return try await withTaskCancellationHandler {
    try Task.checkCancellation()
    return try await withCheckedThrowingContinuation { continuation in
      DispatchQueue.global().async { continuation.resume(with: Result { try call(flag) }) }
    }
  } onCancel: {
    flag.raise()
  }
}
