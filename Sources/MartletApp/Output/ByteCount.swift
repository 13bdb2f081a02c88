/// Memory as a person reads it: `812 KiB`, `64 MiB`, `1.5 GiB`.
enum ByteCount {
    static func text(_ bytes: Int) -> String {
        let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")]
        guard let (shift, name) = units.first(where: { bytes >> $0.0 > 0 }) else { return "\(bytes) B" }
        let tenths = ((bytes >> (shift - 10)) * 10) >> 10
        return tenths < 100 && tenths % 10 > 0 ? "\(tenths / 10).\(tenths % 10) \(name)" : "\(bytes >> shift) \(name)"
    }
}
