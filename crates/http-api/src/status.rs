//! The one table from kinds of failure to HTTP statuses.
//!
//! Knows no texts.

use http::StatusCode;
use vestal_logical::Kind;

/// The status of a failure.
pub(crate) fn status(kind: Kind) -> StatusCode {
    match kind {
        Kind::Invalid | Kind::Conflict => StatusCode::BAD_REQUEST,
        Kind::Denied => StatusCode::FORBIDDEN,
        Kind::NotFound | Kind::UnsupportedPath => StatusCode::NOT_FOUND,
        Kind::Unsupported => StatusCode::METHOD_NOT_ALLOWED,
        Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Kind::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Kind::Limited => StatusCode::TOO_MANY_REQUESTS,
        // The engine's clients know no 502 (rows X10 to X12 in `docs/references.md`).
        Kind::Upstream | Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        Kind::Sealed | Kind::Standby | Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_the_status_that_clients_know() {
        let table = [
            (Kind::Invalid, 400),
            (Kind::Denied, 403),
            (Kind::NotFound, 404),
            (Kind::UnsupportedPath, 404),
            (Kind::Unsupported, 405),
            (Kind::Conflict, 400),
            (Kind::TooLarge, 413),
            (Kind::UnsupportedMediaType, 415),
            (Kind::Limited, 429),
            (Kind::Upstream, 500),
            (Kind::Sealed, 503),
            (Kind::Standby, 503),
            (Kind::Unavailable, 503),
            (Kind::Internal, 500),
        ];
        for (kind, code) in table {
            assert_eq!(status(kind).as_u16(), code, "{kind:?}");
        }
    }
}
