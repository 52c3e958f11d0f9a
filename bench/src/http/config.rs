//! What the peers are told: the same rule as ours, in the words of each, and the defaults that a team would leave.

use std::fs;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::PublicKeyComponents;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use postern::dev::authority::spiffe_id;
use postern_tests::{AUDIENCE, repository_id};
use serde_json::{Value, json};

use super::house::{Ground, REPORT};

/// What the API says to everything: an invoice of 200 bytes.
const INVOICE: &str = r#"{"id":42,"customer":{"id":7,"name":"Example AG","country":"CH"},"currency":"CHF","lines":[{"text":"Support, monthly","amount":"1200.00"},{"text":"Travel","amount":"88.40"}],"total":"1288.40","paid":true}"#;

/// Below this, an invoice; above it, nothing that may be read.
const PATH: &str = "/v1/invoices/";

/// So that no connection is closed for its age while it is measured.
const REQUESTS_MAX: u32 = 1_000_000_000;

/// The API: an nginx that answers by itself.
pub fn upstream(ground: &Ground<'_>, mutual: u16) -> String {
    let api = ground.api;
    let doors = format!(
        "access_log off;\n\
         server {{ listen 127.0.0.1:{api}; location / {{ default_type application/json; return 200 '{INVOICE}'; }} }}\n\
         server {{ {tls} location / {{ default_type application/json; return 200 '{INVOICE}'; }} }}\n",
        tls = nginx_tls(ground, mutual),
    );
    nginx_file(ground, "upstream", &doors)
}

/// nginx as a proxy. It has no name for the URI of a certificate: the subject stands for it.
pub fn nginx(ground: &Ground<'_>, plain: u16, mutual: u16) -> String {
    let (api, log) = (ground.api, ground.log("nginx"));
    let log = log.display();
    let pass = "proxy_pass http://api; proxy_http_version 1.1; proxy_set_header Connection \"\";";
    let doors = format!(
        "access_log {log};\n\
         upstream api {{ server 127.0.0.1:{api}; keepalive 64; keepalive_requests {REQUESTS_MAX}; }}\n\
         map \"$ssl_client_s_dn $request_method\" $permitted {{ \"CN={REPORT} GET\" 1; default 0; }}\n\
         server {{ listen 127.0.0.1:{plain};\n\
         location {PATH} {{ if ($request_method != GET) {{ return 403; }} {pass} }}\n\
         location / {{ return 403; }} }}\n\
         server {{ {tls}\n\
         location {PATH} {{ if ($permitted = 0) {{ return 403; }} {pass} }}\n\
         location / {{ return 403; }} }}\n",
        tls = nginx_tls(ground, mutual),
    );
    nginx_file(ground, "nginx", &doors)
}

fn nginx_tls(ground: &Ground<'_>, port: u16) -> String {
    let folder = ground.world.folder.display();
    format!(
        "listen 127.0.0.1:{port} ssl http2; ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate {folder}/server.pem; \
         ssl_certificate_key {folder}/server.key; ssl_client_certificate {folder}/bundle.pem; ssl_verify_client on;"
    )
}

fn nginx_file(ground: &Ground<'_>, name: &str, doors: &str) -> String {
    let folder = ground.folder.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {folder}/{name}-{kind};\n"))
        .concat();
    format!(
        "daemon off;\nworker_processes 1;\npid {folder}/{name}.pid;\nerror_log {folder}/{name}.errors;\n\
         events {{ worker_connections 8192; }}\n\
         http {{\n{temporary}keepalive_timeout 600s;\nkeepalive_requests {REQUESTS_MAX};\n{doors}}}\n"
    )
}

/// HAProxy. It has no name for the URI of a certificate: the common name stands for it.
pub fn haproxy(ground: &Ground<'_>, plain: u16, mutual: u16, token: u16) -> String {
    let (world, folder) = (ground.world.folder.display(), ground.folder.display());
    let pair = ["server.pem", "server.key"].map(|name| {
        fs::read_to_string(ground.world.folder.join(name)).expect("the server's certificate and key")
    });
    fs::write(ground.folder.join("haproxy.pem"), pair.concat()).expect("a file");
    fs::write(ground.folder.join("issuer.pem"), issuer_pem(ground)).expect("a file");
    format!(
        "global\n nbthread 1\n maxconn 8000\n log stdout format raw local0\n ssl-default-bind-options ssl-min-ver TLSv1.2\n\
         defaults\n mode http\n log global\n option httplog\n timeout connect 10s\n timeout client 600s\n \
         timeout server 600s\n timeout http-keep-alive 600s\n http-reuse always\n\
         frontend plain\n bind 127.0.0.1:{plain}\n http-request deny unless METH_GET {{ path_beg {PATH} }}\n \
         default_backend api\n\
         frontend mutual\n bind 127.0.0.1:{mutual} ssl crt {folder}/haproxy.pem ca-file {world}/bundle.pem \
         verify required alpn h2,http/1.1\n \
         http-request deny unless {{ ssl_c_s_dn(CN) -m str {REPORT} }} METH_GET {{ path_beg {PATH} }}\n \
         default_backend api\n\
         frontend token\n bind 127.0.0.1:{token} ssl crt {folder}/haproxy.pem alpn h2,http/1.1\n \
         http-request set-var(txn.token) http_auth_bearer\n \
         http-request set-var(txn.now) date()\n \
         http-request deny deny_status 401 unless {{ var(txn.token),jwt_header_query('$.alg') -m str RS256 }}\n \
         http-request deny deny_status 401 unless {{ var(txn.token),jwt_verify(\"RS256\",\"{folder}/issuer.pem\") -m int 1 }}\n \
         http-request deny deny_status 401 unless {{ var(txn.token),jwt_payload_query('$.iss') -m str {issuer} }}\n \
         http-request deny deny_status 401 unless {{ var(txn.token),jwt_payload_query('$.aud') -m str {AUDIENCE} }}\n \
         http-request deny deny_status 401 unless {{ var(txn.token),jwt_payload_query('$.exp','int'),sub(txn.now) -m int gt 0 }}\n \
         http-request deny unless {{ var(txn.token),jwt_payload_query('$.repository_id') -m str {repository} }} METH_GET \
         {{ path_beg {PATH} }}\n \
         default_backend api\n\
         backend api\n server api 127.0.0.1:{api}\n",
        issuer = ground.world.issuer.github(),
        repository = repository_id(REPORT),
        api = ground.api,
    )
}

fn issuer_pem(ground: &Ground<'_>) -> String {
    let public = ground.world.issuer.key().public();
    let number = |name: &str| {
        let text = public
            .get(name)
            .and_then(Value::as_str)
            .expect("a number of the key");
        BASE64_URL_SAFE_NO_PAD.decode(text).expect("Base64")
    };
    let key = PublicKeyComponents {
        n: number("n"),
        e: number("e"),
    };
    let key = BASE64_STANDARD.encode(key.as_der().expect("a key").as_ref());
    let lines: Vec<&str> = key
        .as_bytes()
        .chunks(64)
        .filter_map(|line| std::str::from_utf8(line).ok())
        .collect();
    format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        lines.join("\n")
    )
}

pub struct EnvoyPorts {
    pub plain: u16,
    pub mutual: u16,
    pub token: u16,
    pub cached: u16,
}

/// Envoy, which reads the URI of a certificate.
pub fn envoy(ground: &Ground<'_>, ports: &EnvoyPorts) -> String {
    let certificate = json!({ "authenticated": { "principal_name": { "exact": spiffe_id(REPORT) } } });
    let claim = json!({ "metadata": {
        "filter": "envoy.filters.http.jwt_authn",
        "path": [{ "key": "token" }, { "key": "repository_id" }],
        "value": { "string_match": { "exact": repository_id(REPORT) } },
    } });
    let anybody = json!({ "any": true });
    let cache = json!({ "jwt_cache_size": 1000, "jwt_max_token_size": 16384 });
    let (mutual_tls, token_tls) = (envoy_tls(ground, Some("bundle.pem")), envoy_tls(ground, None));
    let listeners = [
        envoy_listener(ground, ports.plain, None, vec![rbac(&anybody)]),
        envoy_listener(ground, ports.mutual, Some(&mutual_tls), vec![rbac(&certificate)]),
        envoy_listener(
            ground,
            ports.token,
            Some(&token_tls),
            vec![jwt(ground, None), rbac(&claim)],
        ),
        envoy_listener(
            ground,
            ports.cached,
            Some(&token_tls),
            vec![jwt(ground, Some(&cache)), rbac(&claim)],
        ),
    ];
    let endpoint = json!({ "endpoint": { "address": socket(ground.api) } });
    let cluster = json!({
        "name": "api", "type": "STATIC",
        "load_assignment": { "cluster_name": "api", "endpoints": [{ "lb_endpoints": [endpoint] }] },
    });
    json!({ "static_resources": { "listeners": listeners, "clusters": [cluster] } }).to_string()
}

fn socket(port: u16) -> Value {
    json!({ "socket_address": { "address": "127.0.0.1", "port_value": port } })
}

fn envoy_listener(ground: &Ground<'_>, port: u16, tls: Option<&Value>, mut filters: Vec<Value>) -> Value {
    filters.push(typed(
        "envoy.filters.http.router",
        "envoy.extensions.filters.http.router.v3.Router",
        json!({}),
    ));
    let route = json!({ "match": { "prefix": "/" }, "route": { "cluster": "api" } });
    let host = json!({ "name": "api", "domains": ["*"], "routes": [route] });
    let log = typed(
        "envoy.access_loggers.file",
        "envoy.extensions.access_loggers.file.v3.FileAccessLog",
        json!({ "path": ground.log("envoy") }),
    );
    let manager = typed(
        "envoy.filters.network.http_connection_manager",
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        json!({
            "stat_prefix": "http", "codec_type": "AUTO", "http_filters": filters, "access_log": [log],
            "route_config": { "name": "all", "virtual_hosts": [host] },
        }),
    );
    let mut chain = json!({ "filters": [manager] });
    if let (Some(tls), Some(chain)) = (tls, chain.as_object_mut()) {
        chain.insert("transport_socket".into(), tls.clone());
    }
    json!({ "name": format!("listener-{port}"), "address": socket(port), "filter_chains": [chain] })
}

/// With the authorities of callers, callers must show a certificate.
fn envoy_tls(ground: &Ground<'_>, authorities: Option<&str>) -> Value {
    let file = |name: &str| json!({ "filename": ground.world.folder.join(name) });
    let mut common = json!({
        "alpn_protocols": ["h2", "http/1.1"],
        "tls_certificates": [{ "certificate_chain": file("server.pem"), "private_key": file("server.key") }],
    });
    if let (Some(authorities), Some(common)) = (authorities, common.as_object_mut()) {
        common.insert(
            "validation_context".into(),
            json!({ "trusted_ca": file(authorities) }),
        );
    }
    typed(
        "envoy.transport_sockets.tls",
        "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        json!({ "common_tls_context": common, "require_client_certificate": authorities.is_some() }),
    )
}

/// The one rule: this caller may GET below this path.
fn rbac(caller: &Value) -> Value {
    let method = json!({ "header": { "name": ":method", "string_match": { "exact": "GET" } } });
    let path = json!({ "url_path": { "path": { "prefix": PATH } } });
    let rule = json!({
        "permissions": [{ "and_rules": { "rules": [method, path] } }], "principals": [caller],
    });
    typed(
        "envoy.filters.http.rbac",
        "envoy.extensions.filters.http.rbac.v3.RBAC",
        json!({ "rules": { "action": "ALLOW", "policies": { "invoices": rule } } }),
    )
}

fn jwt(ground: &Ground<'_>, cache: Option<&Value>) -> Value {
    let issuer = ground.world.issuer;
    let keys = json!({ "keys": [issuer.key().public()] }).to_string();
    let mut provider = json!({
        "issuer": issuer.github(), "audiences": [AUDIENCE], "payload_in_metadata": "token",
        "local_jwks": { "inline_string": keys },
    });
    if let (Some(cache), Some(provider)) = (cache, provider.as_object_mut()) {
        provider.insert("jwt_cache_config".into(), cache.clone());
    }
    typed(
        "envoy.filters.http.jwt_authn",
        "envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
        json!({
            "providers": { "ci": provider },
            "rules": [{ "match": { "prefix": "/" }, "requires": { "provider_name": "ci" } }],
        }),
    )
}

fn typed(name: &str, kind: &str, mut config: Value) -> Value {
    if let Some(config) = config.as_object_mut() {
        config.insert("@type".into(), format!("type.googleapis.com/{kind}").into());
    }
    json!({ "name": name, "typed_config": config })
}
