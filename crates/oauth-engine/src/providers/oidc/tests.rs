//! Tests of the oidc provider: later.
