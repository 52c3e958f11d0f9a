//! Which headers cross the gateway. What speaks for one connection stays on it, and nothing that a client sends can
//! speak for who it is.

use hyper::header::{
    ALT_SVC, AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_LOCATION,
    CONTENT_RANGE, CONTENT_TYPE, EXPECT, FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue, LOCATION,
    MAX_FORWARDS, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use postern_link::snapshot::HttpTarget;

use crate::refusal::{Reason, Refusal};
use crate::upstream::Credentials;

/// Headers of one connection (RFC 9110, section 7.6.1), beside those that `Connection` names.
const OF_ONE_CONNECTION: [HeaderName; 7] = [
    CONNECTION,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// What a client may not say to a target: its own credentials, and what targets believe of a proxy.
const OF_THE_GATEWAY: [HeaderName; 9] = [
    AUTHORIZATION,
    FORWARDED,
    HOST,
    EXPECT,
    HeaderName::from_static("x-real-ip"),
    HeaderName::from_static("x-client-ip"),
    HeaderName::from_static("true-client-ip"),
    HeaderName::from_static("x-original-url"),
    HeaderName::from_static("x-rewrite-url"),
];

/// Beginnings of names that proxies speak with.
const OF_PROXIES: [&str; 5] = ["x-forwarded-", "x-client-cert", "x-ssl-", "x-envoy-", "postern-"];

/// What some servers put in the place of the method that was judged.
const OF_ANOTHER_METHOD: [HeaderName; 3] = [
    HeaderName::from_static("x-http-method"),
    HeaderName::from_static("x-http-method-override"),
    HeaderName::from_static("x-method-override"),
];

/// What a target must know before it reads a body, so that it is no trailer (RFC 9110, section 6.5.1).
const NO_TRAILERS: [HeaderName; 8] = [
    CACHE_CONTROL,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_RANGE,
    CONTENT_TYPE,
    MAX_FORWARDS,
    TE,
    TRAILER,
];

/// The headers of a request as its target sees them, before the gateway's own are added.
pub(super) fn to_target(mut headers: HeaderMap) -> Result<HeaderMap, Refusal> {
    if headers.keys().any(|name| name.as_str().contains('_')) {
        let message = "a header's name with `_` is read as another by some servers";
        return Err(Refusal::new(Reason::Malformed, message));
    }
    if OF_ANOTHER_METHOD.iter().any(|name| headers.contains_key(name)) {
        let message = "a header that changes the method would pass by the rules of that method";
        return Err(Refusal::new(Reason::Malformed, message).hint("send the request with the method itself"));
    }
    if !has_plain_length(&headers) {
        let message = "a request has one `Content-Length` at most, in digits";
        return Err(Refusal::new(Reason::Malformed, message));
    }
    let trailers = headers.get(TE).is_some_and(|te| te == "trailers");
    let named = named_by_connection(&headers);
    let stays = |name: &&HeaderName| {
        let mut beginnings = OF_PROXIES.iter();
        OF_ONE_CONNECTION.contains(name)
            || OF_THE_GATEWAY.contains(name)
            || **name == TE
            || beginnings.any(|beginning| name.as_str().starts_with(beginning))
            || named.contains(name)
    };
    let staying: Vec<HeaderName> = headers.keys().filter(stays).cloned().collect();
    for name in staying {
        headers.remove(name);
    }
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    Ok(headers)
}

/// The trailers of a request, which may say no more than headers may: none pass where one is not to be told from another.
pub(super) fn trailers(mut trailers: HeaderMap) -> HeaderMap {
    for name in &NO_TRAILERS {
        trailers.remove(name);
    }
    to_target(trailers).unwrap_or_default()
}

/// The headers, or trailers, of a response as its client sees them, without the secrets of this host.
pub(super) fn to_client(headers: &mut HeaderMap, credentials: &Credentials) {
    let named = named_by_connection(headers);
    let stays = |name: &&HeaderName| {
        // It would lead clients past the gateway.
        **name == ALT_SVC || OF_ONE_CONNECTION.contains(name) || named.contains(name)
    };
    let staying: Vec<HeaderName> = headers.keys().filter(stays).cloned().collect();
    for name in staying {
        headers.remove(name);
    }
    // A target knows one of them, and may say it back.
    for value in headers.values_mut() {
        if let Some(clean) = credentials.withheld(value.as_bytes()) {
            *value = HeaderValue::from_bytes(&clean).unwrap_or_else(|_| HeaderValue::from_static("***"));
        }
    }
}

/// Makes a redirection to the target itself one to where its client has asked for it (RFC 9110, section 10.2.2).
pub(super) fn lead_here(headers: &mut HeaderMap, api: &HttpTarget, below: &str) {
    for name in [LOCATION, CONTENT_LOCATION] {
        let here = headers.get(&name).and_then(|place| place.to_str().ok());
        let here = here.and_then(|place| at_target(place, api));
        let here = here.and_then(|path| HeaderValue::try_from(format!("{below}{path}")).ok());
        if let Some(here) = here {
            headers.insert(name, here);
        }
    }
}

/// The path of a place at the target. One that is relative to the request's is right as it is.
fn at_target<'p>(place: &'p str, api: &HttpTarget) -> Option<&'p str> {
    let absolute = ["https://", "http://", "//"];
    let Some(rest) = absolute.iter().find_map(|before| place.strip_prefix(before)) else {
        return place.starts_with('/').then_some(place);
    };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let ours = [Some(&api.address), api.host.as_ref()];
    let is_ours = ours
        .into_iter()
        .flatten()
        .any(|ours| ours.eq_ignore_ascii_case(host));
    is_ours.then_some(if path.is_empty() { "/" } else { path })
}

/// Libraries read an empty length as none or as 0, and servers read it as they like.
fn has_plain_length(headers: &HeaderMap) -> bool {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let is_plain =
        |length: &HeaderValue| !length.is_empty() && length.as_bytes().iter().all(u8::is_ascii_digit);
    lengths.next().is_none_or(is_plain) && lengths.next().is_none()
}

fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(CONNECTION).iter();
    let names = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    names.filter_map(|name| name.trim().parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn kept(pairs: &[(&'static str, &'static str)]) -> Vec<String> {
        let headers = to_target(headers(pairs)).unwrap();
        headers.keys().map(ToString::to_string).collect()
    }

    #[test]
    fn nothing_that_a_client_sends_speaks_for_who_it_is() {
        for name in [
            "authorization",
            "proxy-authorization",
            "forwarded",
            "x-forwarded-for",
            "x-forwarded-client-cert",
            "x-real-ip",
            "x-client-cert",
            "x-ssl-client-verify",
            "x-envoy-original-path",
            "x-original-url",
            "postern-workload",
            "host",
        ] {
            assert_eq!(
                kept(&[(name, "a"), ("accept", "b"), (name, "c")]),
                ["accept"],
                "{name}"
            );
        }
    }

    #[test]
    fn what_speaks_for_one_connection_stays_on_it() {
        let sent = [
            ("connection", "close, X-Mine"),
            ("connection", "accept-language"),
            ("x-mine", "a"),
            ("accept-language", "b"),
            ("keep-alive", "c"),
            ("te", "gzip"),
            ("upgrade", "d"),
            ("accept", "e"),
        ];
        assert_eq!(kept(&sent), ["accept"]);
        let mut answered = headers(&[
            ("connection", "x-theirs"),
            ("x-theirs", "a"),
            ("alt-svc", "b"),
            ("etag", "c"),
        ]);
        to_client(&mut answered, &Credentials::default());
        assert_eq!(answered.keys().collect::<Vec<_>>(), ["etag"]);
    }

    #[test]
    fn a_redirection_to_the_target_leads_to_where_it_was_asked_and_others_stay() {
        let api = serde_json::json!({"address": "10.0.0.1:80", "credential": "c", "host": "billing.svc"});
        let api: HttpTarget = serde_json::from_value(api).unwrap();
        for (said, heard) in [
            ("/v1/a?b#c", "/billing/v1/a?b#c"),
            ("https://billing.svc/v1/a", "/billing/v1/a"),
            ("http://BILLING.svc", "/billing/"),
            ("http://10.0.0.1:80/a", "/billing/a"),
            ("//billing.svc/a", "/billing/a"),
            ("a/b", "a/b"),
            ("?page=2", "?page=2"),
            ("https://elsewhere.example/v1/a", "https://elsewhere.example/v1/a"),
            (
                "https://billing.svc.evil.example/a",
                "https://billing.svc.evil.example/a",
            ),
            (
                "https://billing.svc@evil.example/a",
                "https://billing.svc@evil.example/a",
            ),
            ("//evil.example/a", "//evil.example/a"),
        ] {
            for name in ["location", "content-location"] {
                let mut map = HeaderMap::new();
                map.insert(name, said.parse().unwrap());
                lead_here(&mut map, &api, "/billing");
                assert_eq!(map.get(name).unwrap(), heard);
            }
        }
    }

    #[test]
    fn what_servers_read_as_another_name_or_method_is_refused() {
        assert!(to_target(headers(&[("x_forwarded_for", "a")])).is_err());
        assert!(to_target(headers(&[("content_length", "1")])).is_err());
        for name in ["x-http-method", "X-HTTP-Method-Override", "x-method-override"] {
            assert!(to_target(headers(&[(name, "DELETE")])).is_err(), "{name}");
        }
    }

    #[test]
    fn a_trailer_says_no_more_than_a_header_may() {
        let sent = headers(&[
            ("x-forwarded-for", "a"),
            ("authorization", "b"),
            ("x-checksum", "c"),
        ]);
        assert_eq!(trailers(sent).keys().collect::<Vec<_>>(), ["x-checksum"]);
        assert!(trailers(headers(&[("x-checksum", "a"), ("x_forwarded_for", "b")])).is_empty());
        let sent = headers(&[
            ("content-length", "5"),
            ("trailer", "a"),
            ("x-checksum", "c"),
            ("te", "trailers"),
        ]);
        assert_eq!(trailers(sent).keys().collect::<Vec<_>>(), ["x-checksum"]);
    }

    #[test]
    fn a_length_is_one_number_or_none() {
        for lengths in [&[""][..], &["+5"], &["5, 5"], &["5", "5"], &["0x5"], &["5 "]] {
            let lengths: Vec<_> = lengths.iter().map(|length| ("content-length", *length)).collect();
            assert!(to_target(headers(&lengths)).is_err(), "{lengths:?}");
        }
        assert_eq!(kept(&[("content-length", "5")]), ["content-length"]);
    }

    #[test]
    fn trailers_are_asked_for_where_the_client_does() {
        assert_eq!(kept(&[("te", "trailers")]), ["te"]);
    }
}
