//! nginx, which forwards a health check, and which skips a server that has failed.

use fullduplex_lab::proxy::{Proxy, Software};

use super::{Check, Servers, ask, status};
use crate::Failure;

const CONFIG: &str = "\
daemon off;
master_process off;
pid nginx.pid;
events {}
http {
    access_log off;
    client_body_temp_path temporary;
    proxy_temp_path temporary;
    fastcgi_temp_path temporary;
    uwsgi_temp_path temporary;
    scgi_temp_path temporary;
    ssl_certificate cert.pem;
    ssl_certificate_key key.pem;
    upstream both {
        server 127.0.0.1:@ILL@;
        server 127.0.0.1:@SERVER@ backup;
    }
    server {
        listen 127.0.0.1:@PLAIN@;
        listen 127.0.0.1:@TLS@ ssl;
        # The name of the upstream, the default, is a foreign host for a server on a loopback address.
        proxy_set_header Host $host;
        location /well { proxy_pass http://127.0.0.1:@SERVER@/health; }
        location /ill { proxy_pass http://127.0.0.1:@ILL@/health; }
        location /well11 { proxy_http_version 1.1; proxy_pass http://127.0.0.1:@SERVER@/health; }
        location /ill11 { proxy_http_version 1.1; proxy_pass http://127.0.0.1:@ILL@/health; }
        location /both { proxy_next_upstream http_500; proxy_pass http://both/health; }
    }
}
";

pub(super) fn checks(servers: &Servers) -> Result<Vec<Check>, Failure> {
    let config = CONFIG.replace("@ILL@", &servers.ill.to_string());
    let nginx = Proxy::start_with(Software::Nginx, &config, servers.well, &servers.identity)?;
    let ask = |path: &str| {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        status(&ask(nginx.port(), &request)?)
    };
    let mut checks = Vec::new();
    for (form, well, ill) in [
        ("`GET /health` that it passes on as HTTP/1.0", "/well", "/ill"),
        ("`GET /health` that it passes on as HTTP/1.1", "/well11", "/ill11"),
    ] {
        let statuses = (ask(well)?, ask(ill)?);
        if statuses != (200, 500) {
            return Err(format!("nginx, {form}: {statuses:?}").into());
        }
        checks.push((form, statuses.0.to_string(), statuses.1.to_string()));
    }
    let (first, second) = (ask("/both")?, ask("/both")?);
    if (first, second) != (200, 200) {
        return Err(format!("nginx, `proxy_next_upstream`: {first}, {second}").into());
    }
    let form = "`proxy_next_upstream http_500`";
    checks.push((form, "chosen".into(), "left out".into()));
    let checker = Software::Nginx.version()?;
    let check = |(form, well, ill): (&str, String, String)| Check {
        checker: checker.clone(),
        form: form.into(),
        well,
        ill,
    };
    Ok(checks.into_iter().map(check).collect())
}
