//! What the TLS handshake asks of a client's certificate: that the client holds its key, and no more.
//!
//! Whether the certificate is evidence is judged after the handshake: a refusal inside it shows a client
//! nothing but an alert.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use crate::config::Limits;

/// A verifier that asks for a certificate, takes none for an answer, and proves possession of its key.
pub fn client_verifier(limits: &Limits) -> Arc<dyn ClientCertVerifier> {
    Arc::new(Possession {
        algorithms: rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms,
        certificates_max: limits.chain_certificates_max,
        bytes_max: limits.chain_bytes_max,
    })
}

#[derive(Debug)]
struct Possession {
    algorithms: WebPkiSupportedAlgorithms,
    certificates_max: usize,
    bytes_max: usize,
}

impl ClientCertVerifier for Possession {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let bytes = others
            .iter()
            .fold(leaf.len(), |bytes, der| bytes.saturating_add(der.len()));
        // The signature check below reads the leaf; what is too long is not worth reading.
        if others.len() >= self.certificates_max || bytes > self.bytes_max {
            return Err(Error::InvalidCertificate(CertificateError::BadEncoding));
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls12_signature(message, leaf, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, leaf, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
