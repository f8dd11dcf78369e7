//! Networks: one spelling of each, and no address read in a second way.

use std::net::IpAddr;

use keygate::Network;

#[track_caller]
fn reads(text: &str, printed: &str) {
    assert_eq!(Network::parse(text).unwrap().to_string(), printed);
}

#[track_caller]
fn refused(text: &str) {
    let message = Network::parse(text).unwrap_err().to_string();
    assert_eq!(
        message, "network: expected an address, a slash and a length, such as 10.0.0.0/8 or 2001:db8::/32",
        "{text}"
    );
}

#[test]
fn networks_are_read_and_truncated() {
    reads("10.0.0.0/8", "10.0.0.0/8");
    reads("10.1.2.3/8", "10.0.0.0/8");
    reads("192.0.2.7/32", "192.0.2.7/32");
    reads("0.0.0.0/0", "0.0.0.0/0");
    reads("2001:DB8:0::1/32", "2001:db8::/32");
    reads("::/0", "::/0");
    reads("::ffff:10.1.2.3/104", "10.0.0.0/8");
    reads("::ffff:10.1.2.3/128", "10.1.2.3/32");
    reads("::ffff:0:0/96", "0.0.0.0/0");
}

#[test]
fn what_others_read_otherwise_is_refused() {
    for text in [
        "",
        "/",
        "10.0.0.0",
        "10.0.0.0/",
        "/8",
        "10.0.0.0/33",
        "10.0.0.0/+8",
        "10.0.0.0/-1",
        "10.0.0.0/256",
        "010.0.0.0/8",
        "10.0.02.0/8",
        "10.0.0.0/08",
        "10.0.0.0/00",
        "10.0.0/8",
        "0x0a.0.0.0/8",
        "10.0.0.0/8/8",
        " 10.0.0.0/8",
        "10.0.0.0/8 ",
        "10.0.0.0/255.0.0.0",
        "2001:db8::/129",
        "2001:db8::%eth0/32",
        "[2001:db8::]/32",
        "::ffff:10.0.0.1/64",
        "::ffff:10.0.0.1/95",
        "localhost/8",
        "10.0.0.0\u{0}/8",
    ] {
        refused(text);
    }
}

#[test]
fn a_mapped_address_is_the_ipv4_address() {
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    let network = Network::parse("10.0.0.0/8").unwrap();
    for (text, inside) in [
        ("10.0.0.0", true),
        ("10.255.255.255", true),
        ("::ffff:10.0.0.1", true),
        ("9.255.255.255", false),
        ("11.0.0.0", false),
        ("::ffff:11.0.0.1", false),
        ("::10.0.0.1", false),
        ("2001:db8::1", false),
    ] {
        assert_eq!(network.contains(address(text)), inside, "{text}");
    }
    assert!(!Network::parse("::/0").unwrap().contains(address("::ffff:10.0.0.1")), "it is IPv4");
}
