//! Which addresses lead to the machine's own metadata rather than to a server somebody runs.
//!
//! Private networks are not among them: providers live there too.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Amazon's metadata service over IPv6.
const AMAZON_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
/// Alibaba's metadata service, which is not link-local.
const ALIBABA: Ipv4Addr = Ipv4Addr::new(100, 100, 100, 200);

const NAMES: [&str; 6] = [
    "metadata",
    "metadata.google.internal",
    "metadata.goog",
    "metadata.azure.internal",
    "metadata.tencentyun.com",
    "instance-data",
];

/// Whether a host name is known to mean a metadata service.
pub(super) fn name(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    NAMES.contains(&host.as_str()) || host == "instance-data.ec2.internal"
}

/// Whether an address is link-local or a metadata service, in whatever form it is written.
pub(super) fn address(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4 == ALIBABA,
        IpAddr::V6(v6) => {
            v6.is_unicast_link_local()
                || v6 == AMAZON_V6
                || embedded(v6).is_some_and(|v4| self::address(v4.into()))
        }
    }
}

/// The IPv4 address inside: mapped, compatible, 6to4, or behind the well-known NAT64 prefix.
fn embedded(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let bits = v6.to_bits();
    let word = |shift: u32| Ipv4Addr::from_bits(u32::try_from((bits >> shift) & 0xffff_ffff).unwrap_or(0));
    match bits >> 32 {
        0 | 0xffff | 0x0064_ff9b_0000_0000_0000_0000 => Some(word(0)),
        high if high >> 80 == 0x2002 => Some(word(80)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_addresses_are_recognised_in_every_form_and_others_are_not() {
        let cases = [
            ("169.254.169.254", true),
            ("169.254.0.1", true),
            ("169.253.0.1", false),
            ("100.100.100.200", true),
            ("100.100.100.201", false),
            ("127.0.0.1", false),
            ("10.0.0.1", false),
            ("fe80::1", true),
            ("febf::1", true),
            ("fec0::1", false),
            ("fd00:ec2::254", true),
            ("fd00:ec2::253", false),
            ("::ffff:169.254.169.254", true),
            ("::169.254.169.254", true),
            ("64:ff9b::a9fe:a9fe", true),
            ("2002:a9fe:a9fe::1", true),
            ("2002:0a00:0001::1", false),
            ("::ffff:10.0.0.1", false),
            ("::1", false),
        ];
        for (text, bad) in cases {
            assert_eq!(address(text.parse().unwrap()), bad, "{text}");
        }
    }

    #[test]
    fn metadata_names_are_recognised_whatever_their_case_and_final_dot() {
        for (host, bad) in [
            ("metadata.google.internal", true),
            ("Metadata.Google.Internal.", true),
            ("metadata", true),
            ("metadata.example.com", false),
            ("example.com", false),
        ] {
            assert_eq!(name(host), bad, "{host}");
        }
    }
}
