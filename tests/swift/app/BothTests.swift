// The C interfaces of both kits in one file: what both declare is the same.

import CG2P
import CTTS
import XCTest

final class BothTests: XCTestCase {
  func testBothCInterfacesInOneFile() {
    XCTAssertEqual(g2p_abi_version(), UInt32(G2P_ABI_VERSION))
    XCTAssertEqual(tts_abi_version(), UInt32(TTS_ABI_VERSION))
    var error = g2p_error()
    XCTAssertEqual(g2p_open(nil, nil, nil, &error), G2P_INVALID_ARGUMENT)
    XCTAssertEqual(tts_open(nil, nil, nil, &error), G2P_INVALID_ARGUMENT)
    XCTAssertEqual(error.status, G2P_INVALID_ARGUMENT)
  }
}
