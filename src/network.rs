//! Network limits: from where a credential may be used.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};

use crate::Invalid;

/// A network in CIDR notation (RFC 4632, RFC 4291 §2.3): `10.0.0.0/8`, `2001:db8::/32`, `192.0.2.7/32`.
///
/// The length is always written; bits behind it are dropped. An IPv4 address that arrives as IPv6
/// (`::ffff:192.0.2.7`, RFC 4291 §2.5.5.2) is the IPv4 address, in networks and in clients.
///
/// ```
/// use keygate::Network;
///
/// let network = Network::parse("10.1.2.3/8")?;
/// assert_eq!(network.to_string(), "10.0.0.0/8");
/// assert!(network.contains("10.200.0.1".parse()?));
/// assert!(network.contains("::ffff:10.200.0.1".parse()?));
/// assert!(!network.contains("11.0.0.1".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network(IpNet);

impl Network {
    /// Reads a network.
    ///
    /// # Errors
    ///
    /// [`Invalid`] where the text is not an address, a slash and a length.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let network: IpNet = text.parse().map_err(|_| {
            Invalid::new("network", "an address, a slash and a length, such as 10.0.0.0/8 or 2001:db8::/32")
        })?;
        let canonical = match network {
            IpNet::V4(_) => None,
            IpNet::V6(v6) => mapped(v6.addr(), v6.prefix_len()),
        };
        Ok(Self(canonical.unwrap_or(network).trunc()))
    }

    /// Whether the address is in the network.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

/// A network of IPv4 addresses written as IPv6.
fn mapped(address: Ipv6Addr, length: u8) -> Option<IpNet> {
    Ipv4Net::new(address.to_ipv4_mapped()?, length.checked_sub(96)?).ok().map(IpNet::V4)
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
