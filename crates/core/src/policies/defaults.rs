//! The policies that every vault has, and the form of names.

/// The name of the policy that allows everything. It has no text.
pub const ROOT: &str = "root";

/// The form in which names are stored and compared: without blanks around, in lower case.
pub fn canonical_name(name: &str) -> String {
    name.trim().to_lowercase()
}

/// What the policy `default`, given to every token that does not refuse it, says until somebody changes it.
pub const DEFAULT: &str = r#"# Given to every token unless it was created without. It lets a token look after itself.

# Itself: what it is, longer life, its end.
path "auth/token/lookup-self" {
  capabilities = ["read"]
}
path "auth/token/renew-self" {
  capabilities = ["update"]
}
path "auth/token/revoke-self" {
  capabilities = ["update"]
}

# What it may do, and where.
path "sys/capabilities-self" {
  capabilities = ["update"]
}
path "sys/internal/ui/resultant-acl" {
  capabilities = ["read"]
}

# Who it belongs to. These act once there is an identity.
path "identity/entity/id/{{identity.entity.id}}" {
  capabilities = ["read"]
}
path "identity/entity/name/{{identity.entity.name}}" {
  capabilities = ["read"]
}

# A lease whose id it knows.
path "sys/leases/renew" {
  capabilities = ["update"]
}
path "sys/leases/lookup" {
  capabilities = ["update"]
}

# A place of its own that ends with it.
path "cubbyhole/*" {
  capabilities = ["create", "read", "update", "delete", "list"]
}

# Answers wrapped for somebody else, and those wrapped for it.
path "sys/wrapping/wrap" {
  capabilities = ["update"]
}
path "sys/wrapping/lookup" {
  capabilities = ["update"]
}
path "sys/wrapping/unwrap" {
  capabilities = ["update"]
}

# Digests of what it sends.
path "sys/tools/hash" {
  capabilities = ["update"]
}
path "sys/tools/hash/*" {
  capabilities = ["update"]
}

# Signing in elsewhere with the identity it has here.
path "identity/oidc/provider/+/authorize" {
  capabilities = ["read", "update"]
}
"#;

/// What the policy `response-wrapping`, held by wrapping tokens and nothing else, always says.
pub const RESPONSE_WRAPPING: &str = r#"path "cubbyhole/response" {
  capabilities = ["create", "read"]
}
path "sys/wrapping/unwrap" {
  capabilities = ["update"]
}
path "auth/token/revoke-self" {
  capabilities = ["update"]
}
"#;
