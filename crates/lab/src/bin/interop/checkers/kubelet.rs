//! The probes of Kubernetes, with the bytes that kubelet sends. A status from 200 to 399 is a success.

use std::net::{Ipv4Addr, TcpStream};

use super::{Check, Servers, ask, status};
use crate::Failure;

pub(super) fn checks(servers: &Servers) -> Result<Vec<Check>, Failure> {
    let probe = |port: u16| {
        let request = format!(
            "GET /health HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: kube-probe/1.31\r\n\
             Accept: */*\r\nConnection: close\r\n\r\n"
        );
        Ok::<_, Failure>(match status(&ask(port, &request)?)? {
            status @ 200..400 => format!("success, {status}"),
            status => format!("failure, {status}"),
        })
    };
    let [well, ill] = [probe(servers.well)?, probe(servers.ill)?];
    if well != "success, 200" || ill != "failure, 500" {
        return Err(format!("a probe of Kubernetes: {well}; {ill}").into());
    }
    for port in [servers.well, servers.ill] {
        TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    }
    let check = |form: &str, well: &str, ill: &str| Check {
        checker: "Kubernetes, as bytes".into(),
        form: form.into(),
        well: well.into(),
        ill: ill.into(),
    };
    Ok(vec![check("`httpGet`", &well, &ill), check("`tcpSocket`", "success", "success")])
}
