//! Snapshots for tests.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use postern_link::snapshot::{
    ClaimMatch, Issuer, Login, Preset, Revocation, Revoked, Scalar, SecondNetwork, Snapshot, Workload,
};

use super::super::Known;
use super::pki::NOW_MS;

pub(super) const AUDIENCE: &str = "https://postern.example";

pub(super) fn home() -> IpAddr {
    "198.51.100.7".parse().unwrap()
}

pub(super) fn workload(name: &str, login: Vec<Login>) -> Workload {
    Workload {
        name: name.into(),
        owner: "team".into(),
        purpose: String::new(),
        environment: String::new(),
        expires: "2027-06-01T00:00:00Z".parse().unwrap(),
        segments: Vec::new(),
        disabled: false,
        login,
        grace_seconds_max: None,
        second_network: SecondNetwork::Finding,
        assume: Vec::new(),
        sessions_max: None,
    }
}

pub(super) fn by_spiffe(id: &str) -> Login {
    Login::Spiffe { spiffe: id.into() }
}

pub(super) fn by_claims(issuer: &str, claims: &[(&str, &str)]) -> Login {
    let claims = claims
        .iter()
        .map(|(name, value)| ((*name).to_owned(), text(value)));
    Login::Token {
        issuer: issuer.into(),
        claims: claims.collect(),
    }
}

pub(super) fn text(value: &str) -> ClaimMatch {
    ClaimMatch::Exactly(Scalar::Text(value.into()))
}

pub(super) fn issuer(name: &str, preset: Preset, iss: Option<&str>) -> Issuer {
    Issuer {
        name: name.into(),
        preset,
        issuer: iss.map(str::to_owned),
        audience: AUDIENCE.into(),
        algorithms: Vec::new(),
        jwks_uri: None,
        tenant: BTreeMap::new(),
        stable_ids: Vec::new(),
        grace_seconds_max: None,
    }
}

pub(super) fn snapshot(issuers: Vec<Issuer>, workloads: Vec<Workload>) -> Snapshot {
    Snapshot {
        issuers,
        workloads,
        ..Snapshot::default()
    }
}

pub(super) fn revoked(of: Revoked) -> Revocation {
    Revocation {
        id: "r1".into(),
        of,
        reason: "a test".into(),
        by: "a test".into(),
        at_ms: NOW_MS,
    }
}

pub(super) fn known(snapshot: &Snapshot) -> Arc<Known> {
    Arc::new(Known::build(snapshot).unwrap_or_else(|errors| panic!("{errors:#?}")))
}
