//! What a request asks for, read as strictly as it is sent on: one target, one method, one path in one spelling.

use hyper::header::{CONTENT_LENGTH, HOST, HeaderMap, TRANSFER_ENCODING, UPGRADE};
use hyper::http::request::Parts;
use hyper::http::uri::{Authority, Scheme};
use hyper::{Uri, Version};
use postern_link::snapshot::{HttpTarget, HttpVersion, Target};
use postern_policies::path;

use crate::authorize::Rules;
use crate::authorize::call::{Asked, Method, Performed};
use crate::refusal::{Reason, Refusal};

/// One request, as it will be judged and sent.
pub(super) struct Wanted<'r> {
    pub target: &'r Target,
    pub api: &'r HttpTarget,
    pub method: Method,
    pub path: String,
    /// What the client's path has before that: the target's prefix, if it was asked by that.
    pub below: &'r str,
    pub query: Option<String>,
    /// The protocol that is to be spoken from here on.
    pub upgrade: Option<String>,
}

impl Wanted<'_> {
    /// The operation that it is, where the target says what it does, with what it is given by the head that the
    /// target will see.
    pub(super) fn performed(&self, rules: &Rules, head: &HeaderMap) -> Result<Option<Performed>, Refusal> {
        rules.performed(
            &self.target.name,
            self.method,
            &self.path,
            self.query.as_deref(),
            head,
        )
    }

    pub(super) fn asked<'a>(&'a self, operation: Option<&'a Performed>) -> Asked<'a> {
        Asked {
            method: self.method,
            path: &self.path,
            query: self.query.as_deref(),
            operation,
        }
    }
}

/// Reads the head of a request by these rules.
pub(super) fn read<'r>(
    parts: &Parts,
    scheme: &Scheme,
    server_name: Option<&str>,
    rules: &'r Rules,
) -> Result<Wanted<'r>, Refusal> {
    if parts.version == Version::HTTP_10 || parts.version == Version::HTTP_09 {
        return Err(Refusal::new(
            Reason::Unsupported,
            "only HTTP/1.1 and HTTP/2 are served",
        ));
    }
    let method = Method::named(parts.method.as_str()).ok_or_else(|| {
        let names = Method::ALL.map(Method::name).join(", ");
        Refusal::new(Reason::Unsupported, "this method is not served").hint(format!("served are: {names}"))
    })?;
    if parts.uri.scheme().is_some_and(|said| said != scheme) {
        return Err(malformed("this is not the scheme of the connection"));
    }
    let host = host(&parts.uri, &parts.headers)?;
    let unclear = |fault: path::Fault| {
        malformed("this path has more than one meaning, so it is not judged").detail(fault.to_string())
    };
    let spelled = path::with_encoded_slashes(parts.uri.path()).map_err(unclear)?;
    let Some((target, api, path)) = rules.api(&host, &spelled) else {
        return Err(
            Refusal::new(Reason::Forbidden, "no API is served under this host or path")
                .hint("the host is one of a target's `server_names`, or the path begins with its `prefix`"),
        );
    };
    if !api.encoded_slashes {
        path::normalised(path).map_err(unclear)?;
    }
    // A connection made for one target is not to be used for another that shares its address.
    let named = server_name.and_then(|name| rules.api(name, "/"));
    if named.is_some_and(|(named, ..)| named.name != target.name) {
        return Err(malformed(
            "the host is not the one that the connection was made for",
        ));
    }
    let upgrade = upgrade(parts, method, api)?;
    let method = if upgrade.is_some() { Method::Tunnel } else { method };
    Ok(Wanted {
        target,
        api,
        method,
        upgrade,
        below: match path.len() == spelled.len() {
            true => "",
            false => api.prefix.as_deref().unwrap_or_default(),
        },
        path: path.to_owned(),
        query: parts.uri.query().map(query).transpose()?,
    })
}

/// The protocol that a request would change to, where its target allows it (RFC 9110, section 7.8).
fn upgrade(parts: &Parts, method: Method, api: &HttpTarget) -> Result<Option<String>, Refusal> {
    let mut said = parts.headers.get_all(UPGRADE).iter();
    let Some(first) = said.next() else {
        return Ok(None);
    };
    let unsupported = |message: &'static str| Err(Refusal::new(Reason::Unsupported, message));
    if parts.version != Version::HTTP_11 || method != Method::Get || said.next().is_some() {
        return unsupported("only a GET of HTTP/1.1 changes to another protocol, and to one");
    }
    let body = [CONTENT_LENGTH, TRANSFER_ENCODING];
    if body.iter().any(|header| parts.headers.contains_key(header)) {
        return unsupported("what changes the protocol has no body");
    }
    let asked = first.to_str().unwrap_or_default();
    let allowed = api
        .upgrades
        .iter()
        .find(|allowed| allowed.eq_ignore_ascii_case(asked));
    match allowed {
        Some(protocol) if api.protocol == HttpVersion::One => Ok(Some(protocol.clone())),
        _ => {
            let message = "the target does not allow a change to this protocol";
            Err(Refusal::new(Reason::Unsupported, message)
                .hint("the target's `upgrades` names those that it does"))
        }
    }
}

/// The host that is meant, where all that name one agree (RFC 9112, section 3.2; RFC 9113, section 8.3.1).
pub(super) fn host(uri: &Uri, headers: &HeaderMap) -> Result<String, Refusal> {
    let mut said = headers.get_all(HOST).iter();
    let header = match (said.next(), said.next()) {
        (None, _) => None,
        (Some(host), None) => {
            let host = host.to_str().ok();
            let host = host.and_then(|host| host.parse::<Authority>().ok());
            Some(host.ok_or_else(|| malformed("the `Host` header names no host"))?)
        }
        (Some(_), Some(_)) => return Err(malformed("a request has one `Host` header")),
    };
    let authority = match (uri.authority(), &header) {
        (Some(authority), Some(header)) if authority != header => {
            return Err(malformed("the request names two hosts"));
        }
        (Some(authority), _) => authority,
        (None, Some(header)) => header,
        (None, None) => return Err(malformed("the request names no host")),
    };
    if authority.as_str().contains('@') {
        return Err(malformed("a host is no place for a user's name"));
    }
    Ok(authority.host().trim_end_matches('.').to_ascii_lowercase())
}

/// A query is sent on as it came, if it is written as queries are (RFC 3986, section 3.4).
fn query(query: &str) -> Result<String, Refusal> {
    let may_stand = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}#".contains(&byte);
    match query.bytes().all(may_stand) {
        true => Ok(query.to_owned()),
        false => Err(malformed(
            "a byte that may not stand in a query must be written as `%` and two digits",
        )),
    }
}

fn malformed(message: &'static str) -> Refusal {
    Refusal::new(Reason::Malformed, message)
}
