//! Which origins an origin policy accepts.

use fullduplex_proto::handshake::{Endpoint, Origin, OriginPolicy, Rejection};
use http::Request;

use crate::support::opening::{REQUEST, head, request};

/// Returns a request to `host` with these `Origin` lines.
fn asked(host: &str, origins: &[&str]) -> Request<()> {
    let host = format!("Host: {host}");
    let lines: Vec<String> = origins.iter().map(|origin| format!("Origin: {origin}")).collect();
    let lines: Vec<&str> = [&*host].into_iter().chain(lines.iter().map(|line| &**line)).collect();
    request(head(&REQUEST, "Host", &lines)).expect("a head of HTTP").expect("a whole head")
}

/// Returns the result for a server that does not know its own address.
fn check(policy: &OriginPolicy, request: &Request<()>) -> Result<(), Rejection> {
    policy.check(request, Endpoint::default())
}

fn listed(origins: &[&str]) -> OriginPolicy {
    OriginPolicy::Listed(origins.iter().map(|origin| origin.parse().expect(origin)).collect())
}

/// The `Origin` of a page without an origin, and values that no browser sends.
const MALFORMED: &[&[&str]] = &[
    &["null"],
    &["NULL"],
    &[""],
    &["*"],
    &["a"],
    &["a.example"],
    &["//a.example"],
    &["https:a.example"],
    &["https://"],
    &["https://a.example/"],
    &["https://a.example?"],
    &["https://a.example#"],
    &["https://a.example\\"],
    &["https://u@a.example"],
    &["https://a.example https://a.example"],
    &["https://a.example, https://a.example"],
    &["https://a.\texample"],
    &["https://a.example:99999"],
    &["https://\u{e4}.example"],
    &["https://a.example", "https://a.example"],
    &["https://a.example", "null"],
];

/// RFC6455-10.2-1: the origin has the host and the port of the `Host` header. The default port may be
/// omitted.
#[test]
fn a_page_of_the_same_host_may_connect() {
    for (host, origin) in [
        ("a.example", "https://a.example"),
        ("a.example", "http://a.example"),
        ("a.example", "https://a.example:443"),
        ("a.example:443", "https://a.example"),
        ("a.example:80", "http://a.example"),
        ("A.Example", "HTTPS://a.EXAMPLE"),
        ("localhost:3000", "http://localhost:3000"),
        ("[::1]:8080", "http://[::1]:8080"),
        ("[0:0::1]:8080", "http://[::1]:8080"),
        ("127.1", "http://127.0.0.1"),
        ("xn--bcher-kva.example", "https://xn--bcher-kva.example"),
    ] {
        let request = asked(host, &[origin]);
        assert_eq!(check(&OriginPolicy::Same, &request), Ok(()), "{host}: {origin}");
    }
}

/// FS-05: a server that uses TLS itself serves no pages over http.
#[test]
fn the_scheme_counts_where_it_is_known() {
    let tls = Endpoint { is_tls: true, ..Endpoint::default() };
    for (origin, over_tls) in
        [("https://a.example", true), ("http://a.example", false), ("http://a.example:443", false)]
    {
        let request = asked("a.example", &[origin]);
        assert_eq!(OriginPolicy::Same.check(&request, tls).is_ok(), over_tls, "{origin}");
    }
    let request = asked("a.example", &["http://a.example"]);
    assert_eq!(check(&OriginPolicy::Same, &request), Ok(()));
    assert_eq!(listed(&["http://a.example"]).check(&request, tls), Ok(()));
}

/// FS-05: RFC 9112 section 3.2.2.
#[test]
fn the_host_of_an_absolute_target_counts() {
    let absolute = |host: &str| {
        let lines = [
            &*format!("GET http://{host}/ HTTP/1.1"),
            "Host: a.example",
            "Origin: http://a.example",
        ];
        request(head(&lines, "", &[])).unwrap().unwrap()
    };
    assert_eq!(check(&OriginPolicy::Same, &absolute("a.example")), Ok(()));
    assert!(check(&OriginPolicy::Same, &absolute("b.example")).is_err());
}

/// RFC6455-4.2.2-3: the status is 403, and the body names the origin.
#[test]
fn a_page_of_another_host_is_refused() {
    for (host, origin) in [
        ("a.example", "https://b.example"),
        ("a.example", "https://a.example.b.example"),
        ("a.example", "https://ba.example"),
        ("b.a.example", "https://a.example"),
        ("a.example", "https://b.a.example"),
        ("a.example", "https://a.example."),
        ("a.example", "https://a.example:80"),
        ("a.example", "https://a.example:8443"),
        ("a.example:80", "https://a.example"),
        ("a.example:8443", "https://a.example"),
        ("localhost:3000", "http://localhost:3001"),
        ("127.0.0.1", "http://localhost"),
        // Other schemes, and invalid hosts.
        ("a.example", "ftp://a.example"),
        ("a.example", "wss://a.example"),
        ("abcdef", "chrome-extension://abcdef"),
        ("", "https://a.example"),
        ("a.example/b", "https://a.example"),
        ("u@a.example", "https://a.example"),
    ] {
        let rejection = check(&OriginPolicy::Same, &asked(host, &[origin])).expect_err(origin);
        assert_eq!(rejection.status(), 403, "{host}: {origin}");
        assert!(rejection.to_string().contains(origin), "{rejection}");
    }
}

/// RFC6455-10.2-1: a list also excludes the server's own origin, unless it is listed.
#[test]
fn a_list_allows_only_its_origins() {
    let origins = listed(&["https://a.example", "http://LOCALHOST:80", "chrome-extension://abc"]);
    for allowed in ["https://a.example", "https://a.example:443", "http://localhost"] {
        assert_eq!(check(&origins, &asked("server", &[allowed])), Ok(()), "{allowed}");
    }
    assert_eq!(check(&origins, &asked("server", &["chrome-extension://abc"])), Ok(()));
    for refused in
        ["http://a.example", "https://localhost", "https://server", "chrome-extension://abcd"]
    {
        let rejection = check(&origins, &asked("server", &[refused])).expect_err(refused);
        assert_eq!(rejection.status(), 403);
        assert!(rejection.to_string().contains(refused), "{rejection}");
    }
    assert!(check(&listed(&[]), &asked("a", &["https://a"])).is_err());
}

/// RFC6455-4.2.1-3: only browsers must send an origin. A request without an origin does not come from a web
/// page.
#[test]
fn a_client_without_an_origin_may_connect() {
    for origins in
        [OriginPolicy::Same, listed(&["https://a.example"]), listed(&[]), OriginPolicy::Any]
    {
        assert_eq!(check(&origins, &asked("b.example", &[])), Ok(()));
    }
}

#[test]
fn a_malformed_origin_is_refused_unless_any_is_allowed() {
    for &lines in MALFORMED {
        let request = asked("a.example", lines);
        for origins in [OriginPolicy::Same, listed(&["https://a.example"])] {
            let rejection = check(&origins, &request).expect_err(lines[0]);
            assert_eq!(rejection.status(), 403, "{lines:?}");
        }
        assert_eq!(check(&OriginPolicy::Any, &request), Ok(()));
    }
    assert_eq!(check(&OriginPolicy::Any, &asked("a", &["https://b"])), Ok(()));
}

/// The error says why the value is not an origin.
#[test]
fn a_list_accepts_only_origins() {
    for (input, reason) in [
        ("null", "pages without an origin"),
        ("a.example", "scheme"),
        ("", "scheme"),
        ("*", "scheme"),
        ("https://a.example/", "no path"),
        ("https://a.example/chat", "no path"),
        ("https://a.example?q", "no path"),
        ("https://a.example#f", "no path"),
        ("https://u:p@a.example", "no user name"),
        ("https://a.example ", "no space"),
        ("https://", "empty host"),
        ("app://", "no host"),
        ("https://*.example", "no wildcard"),
        ("https://a.example:x", "port"),
    ] {
        let error = Origin::parse(input).expect_err(input).to_string();
        assert!(error.contains(reason), "{error}");
        assert!(error.starts_with(&format!("`{input}` is not an origin")), "{error}");
    }
    for (input, shown) in [
        ("https://a.example", "https://a.example"),
        ("HTTPS://A.example:443", "https://a.example"),
        ("http://a:8080", "http://a:8080"),
        ("https://b\u{fc}cher.example", "https://xn--bcher-kva.example"),
        ("http://[0:0::1]", "http://[::1]"),
    ] {
        assert_eq!(Origin::parse(input).expect(input).to_string(), shown);
    }
}
