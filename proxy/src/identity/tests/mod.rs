//! Evidence and its bad twins: certificates and tokens made here, an issuer that misbehaves on request.

mod certificates;
mod handshakes;
mod issuers;
mod logins;
mod matches;
mod pki;
mod server;
mod sessions;
mod tokens;
mod world;
