//! Keys of Vault's and OpenBao's files that have no effect here, and what is said of them.

use vestal_hcl::Item;

/// At the top.
pub(super) const TOP_WITHOUT_EFFECT: &[&str] = &[
    "administrative_namespace_path",
    "api_addr",
    "cache_size",
    "cluster_addr",
    "cluster_cipher_suites",
    "default_max_request_duration",
    "detect_deadlocks",
    "disable_cache",
    "disable_clustering",
    "disable_indexing",
    "disable_performance_standby",
    "disable_printable_check",
    "disable_sealwrap",
    "disable_sentinel_trace",
    "disable_standby_reads",
    "enable_post_unseal_trace",
    "enable_raw_endpoint",
    "enable_response_header_hostname",
    "enable_response_header_raft_node_id",
    "enable_ui",
    "entropy",
    "experiments",
    "ha_storage",
    "ha_backend",
    "hsm",
    "imprecise_lease_role_tracking",
    "initialize",
    "introspection_endpoint",
    "kms_library",
    "license",
    "license_path",
    "log_file",
    "log_requests_level",
    "log_rotate_bytes",
    "log_rotate_duration",
    "log_rotate_max_files",
    "max_lease_count",
    "performance_multiplier",
    "plugin",
    "plugin_auto_download",
    "plugin_auto_register",
    "plugin_directory",
    "plugin_download_behavior",
    "plugin_file_permissions",
    "plugin_file_uid",
    "raw_storage_endpoint",
    "replication",
    "request_limiter",
    "sentinel",
    "service_registration",
    "telemetry",
    "ui",
    "unsafe_cross_namespace_identity",
    "user_lockout",
];

/// In a listener.
pub(super) const LISTENER_WITHOUT_EFFECT: &[&str] = &[
    "agent_api",
    "chroot_namespace",
    "cluster_address",
    "custom_response_headers",
    "disable_replication_status_endpoints",
    "http_read_timeout",
    "disable_request_limiter",
    "disable_unauthed_generate_root_endpoints",
    "disable_unauthed_rekey_endpoints",
    "enable_quit",
    "inflight_requests_logging",
    "metrics",
    "profiling",
    "proxy_api",
    "proxy_protocol_authorized_addrs",
    "proxy_protocol_behavior",
    "redact_addresses",
    "redact_cluster_name",
    "redact_version",
    "role",
    "telemetry",
    "tls_cipher_suites",
    "tls_client_ca_file",
    "tls_disable_client_certs",
    "tls_max_version",
    "tls_prefer_server_cipher_suites",
    "tls_require_and_verify_client_cert",
    "x_forwarded_for_authorized_addrs",
    "x_forwarded_for_client_cert_header",
    "x_forwarded_for_hop_skips",
    "x_forwarded_for_reject_not_authorized",
    "x_forwarded_for_reject_not_present",
];

/// What the operator hears of a key that is known and does nothing.
pub(super) fn no_effect(item: &Item) -> String {
    format!("`{}` on line {} is known and has no effect here", item.key(), item.at().line)
}

/// What the operator hears of a key that nobody knows.
pub(super) fn unknown(item: &Item) -> String {
    format!("`{}` on line {} is not known; is it misspelled?", item.key(), item.at().line)
}
