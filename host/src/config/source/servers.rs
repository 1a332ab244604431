//! The addresses of brokers.

use crate::config::reader::{At, Reader};
use crate::config::security::SecurityProtocol;

/// Brokers, each checked to be `host:port` or `host`.
pub(in crate::config) fn servers(reader: &mut Reader<'_>, at: impl Into<At>) -> String {
    let at = at.into();
    let servers = reader.list(at);
    for server in &servers {
        if let Err(why) = check_server(&server.value) {
            let message = format!("`{}` {why}: write host:port", server.shown);
            reader.invalid(at, server.span, message);
        }
    }
    let names: Vec<String> = servers.into_iter().map(|server| server.value).collect();
    names.join(",")
}

fn is_protocol(scheme: &str) -> bool {
    let names = SecurityProtocol::NAMES.iter();
    names
        .into_iter()
        .any(|name| scheme.eq_ignore_ascii_case(name))
}

fn check_server(server: &str) -> Result<(), &'static str> {
    let address = match server.split_once("://") {
        Some((scheme, address)) if is_protocol(scheme) => address,
        Some(_) => return Err("is not a broker's address"),
        None => server,
    };
    let (host, port) = match address.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port)),
        _ => (address, None),
    };
    if host.is_empty() || host.contains([' ', '/', '@']) {
        return Err("is not a broker's address");
    }
    match port.map(str::parse::<u16>) {
        None | Some(Ok(1..)) => Ok(()),
        Some(_) => Err("has a port that is not a number from 1 to 65535"),
    }
}
