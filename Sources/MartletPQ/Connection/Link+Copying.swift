import CPostgres

/// COPY FROM STDIN, a chunk at a time as the server takes it.
extension Link {
    func isCopying(_ feed: CopyFeed) -> Bool { copying === feed }

    func feedCopy(_ connection: OpaquePointer) {
        guard let feed = copying else { return }
        if let chunk = feed.pending {
            if !isChunkSent {
                let isTaken = chunk.withUnsafeBytes { bytes in
                    pq.PQputCopyData(connection, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(bytes.count))
                        == 1
                }
                guard isTaken else { return breakOff() }
                isChunkSent = true
            }
            guard pq.PQflush(connection) == 0 else { return }
            isChunkSent = false
            feed.chunkTaken()
        }
        guard let end = feed.pendingEnd else { return }
        switch end {
        case .complete: endCopy(connection, nil)
        case .abandoned(let reason): endCopy(connection, reason)
        }
    }

    func endCopy(_ connection: OpaquePointer, _ reason: String?) {
        copying = nil
        isChunkSent = false
        guard pq.PQputCopyEnd(connection, reason) == 1 else { return breakOff() }
        // The server may have refused the rows long ago; its answer has been read then, and nothing more will come.
        readResults(connection)
    }
}
