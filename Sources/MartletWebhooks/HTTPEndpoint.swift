import MartletCore
import NIOSSL

/// A spec with all that it refers to: secrets read, certificates loaded. Made when the worker starts, so that what is missing
/// there is said there, and not by the errors of jobs.
package struct HTTPEndpoint: Sendable {
    let method: HTTPSpec.Method
    let url: URLTemplate
    /// What people see of the address.
    let display: String
    /// As the configuration says, with a content type where there is a body.
    let headers: [(name: String, value: String)]
    let statuses: StatusRules
    let allowsPrivate: Bool
    let tls: TLSConfiguration
    let redactor: Redactor

    /// - Throws: ``InvalidInput`` naming `url`, `headers.NAME` or `certificates`.
    package init(_ spec: HTTPSpec, environment: [String: String]) throws(InvalidInput) {
        let address = try spec.url.resolved(field: "url", environment: environment)
        let url = try URLTemplate(parsing: address.text, field: "url")
        if address.secret != nil, !url.fields.isEmpty {
            throw InvalidInput(field: "url", reason: "has fields; an address that is a secret is taken as it is")
        }
        try url.checkPublic(allowsPrivate: spec.allowsPrivate, field: "url")
        var headers: [(name: String, value: String)] = []
        var secrets = [address.secret].compactMap(\.self)
        for header in spec.headers {
            let field = "headers.\(header.name)"
            let value = try header.value.resolved(field: field, environment: environment)
            try HTTPSpec.checkValue(value.text, field: field)
            headers.append((header.name, value.text))
            if let secret = value.secret { secrets.append(secret) }
        }
        func isSet(_ name: String) -> Bool { headers.contains { $0.name.lowercased() == name } }
        if spec.method.hasBody, !isSet("content-type") { headers.append(("Content-Type", "application/json")) }
        if !isSet("user-agent") { headers.append(("User-Agent", "martlet/\(Version.current)")) }
        // A secret address ends in its secret; what leads there is in every error anyway.
        secrets += address.secret.map { [String($0.dropFirst(url.origin.count))] } ?? []
        method = spec.method
        self.url = url
        display = address.secret == nil ? url.display : url.origin
        self.headers = headers
        statuses = spec.statuses
        allowsPrivate = spec.allowsPrivate
        tls = try Self.tls(spec.certificates)
        redactor = Redactor(secrets: secrets)
    }

    private static func tls(_ certificates: String?) throws(InvalidInput) -> TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        guard let certificates else { return configuration }
        do {
            configuration.additionalTrustRoots = [.certificates(try NIOSSLCertificate.fromPEMFile(certificates))]
        } catch {
            throw InvalidInput(field: "certificates", reason: "cannot read certificates in \(certificates): \(error)")
        }
        return configuration
    }
}
