//! Which host names a server accepts, as a protection against DNS rebinding (FS-05).

use std::net::IpAddr;

use fullduplex_proto::handshake::{Endpoint, HostName, HostPolicy};

use crate::support::opening::{REQUEST, head, request};

fn at(address: &str) -> Endpoint {
    Endpoint { address: Some(address.parse::<IpAddr>().expect(address)), is_tls: false }
}

/// Returns the status of the rejection of a request with these lines.
fn rejected(hosts: &HostPolicy, endpoint: Endpoint, first: &str, lines: &[&str]) -> Option<u16> {
    let [_, _, rest @ ..] = REQUEST;
    let lines: Vec<&str> = [first].into_iter().chain(lines.iter().copied()).chain(rest).collect();
    let request = request(head(&lines, "", &[])).expect("a head of HTTP").expect("a whole head");
    hosts.check(&request, endpoint).err().map(|rejection| {
        assert!(rejection.to_string().contains("localhost or an IP address"), "{rejection}");
        rejection.status().as_u16()
    })
}

fn with_host(hosts: &HostPolicy, endpoint: Endpoint, host: &str) -> Option<u16> {
    rejected(hosts, endpoint, "GET / HTTP/1.1", &[&format!("Host: {host}")])
}

const LOCAL: [&str; 14] = [
    "localhost",
    "LOCALHOST:9001",
    "localhost.",
    "localhost.:80",
    "app.localhost:1",
    "a.b.LocalHost.",
    "127.0.0.1",
    "127.0.0.1:9001",
    "[::1]",
    "[::1]:9001",
    "[0:0:0:0:0:0:0:1]:1",
    "[::ffff:127.0.0.1]",
    "192.0.2.1:80",
    "localhost:",
];

const FOREIGN: [&str; 24] = [
    "app.example",
    "app.example:9001",
    "localhost.example",
    "localhost.example:80",
    "notlocalhost",
    "127.0.0.1.example",
    "127.0.0.1.",
    "localhost..",
    ".",
    "",
    ":80",
    "::1",
    "[x]",
    "[::1",
    "[127.0.0.1]",
    "127.0.0.1:x",
    "localhost:80:80",
    "app.example:1@localhost",
    "localhost@app.example",
    "x@app.localhost",
    "localhost/app.example",
    "localhost app.example",
    "localhost, app.example",
    "\u{e4}.localhost\u{ff}",
];

/// FS-05
#[test]
fn a_server_on_a_loopback_address_answers_for_local_hosts_only() {
    for address in ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"] {
        for host in LOCAL {
            assert_eq!(with_host(&HostPolicy::Auto, at(address), host), None, "{host}");
        }
        for host in FOREIGN {
            assert_eq!(with_host(&HostPolicy::Auto, at(address), host), Some(421), "{host}");
        }
    }
}

/// FS-05: the local policy does not depend on the server's address.
#[test]
fn a_local_policy_needs_no_address() {
    let local = HostPolicy::Local(Vec::new());
    for endpoint in [Endpoint::default(), at("192.0.2.1")] {
        assert_eq!(with_host(&local, endpoint, "localhost:1"), None);
        assert_eq!(with_host(&local, endpoint, "app.example"), Some(421));
    }
}

/// FS-05: a server behind a proxy lists the name that the proxy forwards.
#[test]
fn listed_names_are_allowed() {
    let listed = ["App.Example.", "b\u{fc}cher.example", "a_b"];
    let listed = HostPolicy::Local(listed.map(|name| name.parse().unwrap()).to_vec());
    for host in
        ["app.example", "APP.example:8443", "app.example.", "xn--bcher-kva.example", "A_B", "[::1]"]
    {
        assert_eq!(with_host(&listed, at("127.0.0.1"), host), None, "{host}");
    }
    for host in ["example", "x.app.example", "app.example.evil.example", "x@app.example"] {
        assert_eq!(with_host(&listed, at("127.0.0.1"), host), Some(421), "{host}");
    }
}

/// FS-05: other machines can reach such a server anyway.
#[test]
fn other_servers_answer_for_any_host() {
    for endpoint in [Endpoint::default(), at("0.0.0.0"), at("::"), at("192.0.2.1")] {
        for host in LOCAL.iter().chain(&FOREIGN) {
            assert_eq!(with_host(&HostPolicy::Auto, endpoint, host), None, "{host}");
            assert_eq!(with_host(&HostPolicy::Any, at("::1"), host), None, "{host}");
        }
    }
}

/// FS-05: RFC 9112 section 3.2.2: the host of an absolute target is checked. Each of several Host headers is
/// checked too.
#[test]
fn an_absolute_target_or_second_host_header_is_checked_too() {
    let rejected =
        |first, lines: &[&str]| rejected(&HostPolicy::Auto, at("127.0.0.1"), first, lines);
    let (local, foreign) = ("Host: localhost", "Host: app.example");
    assert_eq!(rejected("GET http://app.example/ HTTP/1.1", &[local]), Some(421));
    assert_eq!(rejected("GET http://localhost/ HTTP/1.1", &[foreign]), Some(421));
    assert_eq!(rejected("GET http://localhost:80/ HTTP/1.1", &[local]), None);
    assert_eq!(rejected("GET / HTTP/1.1", &[local, foreign]), Some(421));
    assert_eq!(rejected("GET / HTTP/1.1", &[foreign, local]), Some(421));
    // A health check over HTTP/1.0 has no Host header.
    assert_eq!(rejected("GET / HTTP/1.0", &[]), None);
}

#[test]
fn a_long_host_is_cut_in_the_reason() {
    let host = format!("Host: {}", "x".repeat(10_000));
    let request = request(head(&["GET / HTTP/1.1", &host], "", &[])).unwrap().unwrap();
    let rejection = HostPolicy::Auto.check(&request, at("::1")).unwrap_err();
    assert!(rejection.to_string().len() < 500, "{rejection}");
}

#[test]
fn a_list_has_names_only() {
    for (input, reason) in [
        ("127.0.0.1", "list names only"),
        ("::1", "list names only"),
        ("[::1]", "list names only"),
        ("app.example:80", "the port"),
        ("http://app.example", "the scheme"),
        ("app.example/", "the path"),
        ("*", "wildcard"),
        ("*.example", "wildcard"),
        ("", "letters"),
        (".", "letters"),
        ("a b", "letters"),
        ("x@app.example", "letters"),
        ("127.1", "letters"),
        ("a%zz", "letters"),
    ] {
        let error = HostName::parse(input).expect_err(input).to_string();
        assert!(error.contains(reason), "{error}");
        assert!(error.starts_with(&format!("`{input}` is not a host name")), "{error}");
    }
    assert_eq!("App.EXAMPLE.".parse::<HostName>().unwrap().to_string(), "app.example");
}
