//! Network limits: from where a credential may be used.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

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
    /// [`Invalid`] where the text is not an address, a slash and a length in decimal. A leading zero is refused,
    /// because others read it as octal, and so is an IPv4 address as IPv6 with a length that reaches beyond IPv4.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let invalid =
            Invalid::new("network", "an address, a slash and a length, such as 10.0.0.0/8 or 2001:db8::/32");
        let (address, length) = text.split_once('/').ok_or(invalid)?;
        let address: IpAddr = address.parse().map_err(|_| invalid)?;
        let plain =
            length.bytes().all(|byte| byte.is_ascii_digit()) && (length == "0" || !length.starts_with('0'));
        let length: u8 = length.parse().ok().filter(|_| plain).ok_or(invalid)?;
        let beyond = u8::from(address.is_ipv6() && address.to_canonical().is_ipv4()).saturating_mul(96);
        let length = length.checked_sub(beyond).ok_or(invalid)?;
        IpNet::new(address.to_canonical(), length).map(|network| Self(network.trunc())).map_err(|_| invalid)
    }

    /// Whether the address is in the network.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
