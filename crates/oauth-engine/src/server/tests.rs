//! Tests of the registry: later.
