//! Real handshakes: what the verifier asks for, and what it leaves to `by_certificate`.

use std::io;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};

use super::super::client_verifier;
use super::pki::{Authority, ID, dns, leaf_key, root};
use crate::config::Limits;

fn key() -> PrivateKeyDer<'static> {
    PrivateKeyDer::try_from(leaf_key().serialize_der()).unwrap()
}

fn other_key() -> PrivateKeyDer<'static> {
    PrivateKeyDer::try_from(rcgen::KeyPair::generate().unwrap().serialize_der()).unwrap()
}

/// The certificates that the server ends up with, or that there was no handshake.
fn handshake(
    limits: &Limits,
    chain: Vec<CertificateDer<'static>>,
    key: Option<PrivateKeyDer<'static>>,
) -> Result<usize, rustls::Error> {
    let servers: Authority = root("servers");
    let leaf = servers.leaf_with(|params| {
        params.subject_alt_names = vec![dns("localhost")];
        params.not_after = rcgen::date_time_ymd(4000, 1, 1);
    });
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(client_verifier(limits))
        .with_single_cert(vec![leaf], super::handshakes::key())?;
    let mut roots = RootCertStore::empty();
    roots.add(servers.der.clone()).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    let client = match key {
        Some(key) => {
            let signing = provider.key_provider.load_private_key(key)?;
            // Unchecked on purpose: a thief has the certificate and another key.
            let certified = rustls::sign::CertifiedKey::new(chain, signing);
            client.with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified)))
        }
        None => client.with_no_client_auth(),
    };
    let mut client = ClientConnection::new(Arc::new(client), "localhost".try_into().unwrap())?;
    let mut server = ServerConnection::new(Arc::new(server))?;
    while client.is_handshaking() || server.is_handshaking() {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).unwrap();
        }
        let mut reader = io::Cursor::new(bytes);
        while server.read_tls(&mut reader).unwrap() > 0 {}
        server.process_new_packets()?;
        let mut bytes = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut bytes).unwrap();
        }
        let mut reader = io::Cursor::new(bytes);
        while client.read_tls(&mut reader).unwrap() > 0 {}
        client.process_new_packets()?;
    }
    Ok(server.peer_certificates().map_or(0, <[_]>::len))
}

#[test]
fn a_client_without_a_certificate_gets_through_the_handshake() {
    assert_eq!(handshake(&Limits::default(), Vec::new(), None), Ok(0));
}

#[test]
fn any_certificate_whose_key_the_client_holds_gets_through_the_handshake() {
    let root = root("nobody trusts it");
    let middle = root.intermediate("middle");
    let expired = middle.leaf_with(|params| params.not_after = rcgen::date_time_ymd(2026, 5, 2));
    for leaf in [middle.leaf(ID), expired] {
        assert_eq!(
            handshake(&Limits::default(), vec![leaf, middle.der.clone()], Some(key())),
            Ok(2)
        );
    }
}

#[test]
fn a_certificate_without_its_key_does_not() {
    let root = root("root");
    assert!(handshake(&Limits::default(), vec![root.leaf(ID)], Some(other_key())).is_err());
}

#[test]
fn a_chain_beyond_the_limits_does_not() {
    let root = root("root");
    let leaf = root.leaf(ID);
    let chain = |length: usize| vec![leaf.clone(); length];
    let limits = Limits {
        chain_certificates_max: 3,
        ..Limits::default()
    };
    assert_eq!(handshake(&limits, chain(3), Some(key())), Ok(3));
    assert!(handshake(&limits, chain(4), Some(key())).is_err());
    let limits = Limits {
        chain_bytes_max: leaf.len() * 2,
        ..Limits::default()
    };
    assert_eq!(handshake(&limits, chain(2), Some(key())), Ok(2));
    assert!(handshake(&limits, chain(3), Some(key())).is_err());
}
