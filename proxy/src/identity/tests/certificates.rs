use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType, SerialNumber, date_time_ymd,
};
use rustls::pki_types::CertificateDer;

use super::super::bundle::Bundles;
use super::super::certificate::{self, Error, Verified};
use super::super::spiffe;
use super::pki::{Authority, Chain, DOMAIN, ID, NOW_MS, bundle, dns, permit, root, root_with, uri};
use crate::config::Limits;

fn verify(chain: &[CertificateDer<'_>], authorities: &[&Authority]) -> Result<Verified, Error> {
    let (bundles, left_out) = Bundles::read(bundle(authorities));
    assert!(left_out.is_empty(), "{left_out:?}");
    certificate::verify(chain, &bundles, &Limits::default(), NOW_MS).map_err(|failure| failure.error)
}

#[track_caller]
fn refused(chain: &[CertificateDer<'_>], authorities: &[&Authority], expected: Error) {
    assert_eq!(verify(chain, authorities).expect_err("must be refused"), expected);
}

#[test]
fn a_good_leaf_is_evidence_directly_and_through_intermediates() {
    let root = root("root");
    let first = root.intermediate("first");
    let second = first.intermediate_with("second", |params| {
        params.subject_alt_names = vec![uri("spiffe://a.example")];
    });
    for chain in [
        vec![root.leaf(ID)],
        vec![first.leaf(ID), first.der.clone()],
        vec![second.leaf(ID), second.der.clone(), first.der.clone()],
    ] {
        let verified = verify(&chain, &[&root]).unwrap();
        assert_eq!((verified.id.as_str(), verified.serial.as_str()), (ID, "0abc"));
    }
}

#[test]
fn a_serial_is_the_number_in_the_certificate_without_the_byte_that_keeps_it_positive() {
    let root = root("root");
    for (serial, expected) in [(&[0x0a, 0xbc][..], "0abc"), (&[0xab, 0xcd], "abcd"), (&[0], "00")] {
        let leaf = root.leaf_with(|params| params.serial_number = Some(SerialNumber::from_slice(serial)));
        assert_eq!(verify(&[leaf], &[&root]).unwrap().serial, expected);
    }
}

#[test]
fn evidence_ends_with_the_first_certificate_of_its_chain() {
    let end = |date: rcgen::CertificateParams| date.not_after.unix_timestamp() * 1000;
    let root = root("root");
    let short = root.intermediate_with("short", |params| params.not_after = date_time_ymd(2026, 6, 2));
    let chain = [short.leaf(ID), short.der.clone()];
    let mut expected = CertificateParams::default();
    expected.not_after = date_time_ymd(2026, 6, 2);
    assert_eq!(
        verify(&chain, &[&root]).unwrap().expires_at_ms,
        end(expected.clone())
    );
    let root = root_with("root", |params| params.not_after = date_time_ymd(2026, 6, 2));
    assert_eq!(
        verify(&[root.leaf(ID)], &[&root]).unwrap().expires_at_ms,
        end(expected)
    );
}

#[test]
fn each_broken_shape_of_a_leaf_is_refused_for_its_own_reason() {
    let root = root("root");
    type Change = fn(&mut CertificateParams);
    let cases: Vec<(Change, Error)> = vec![
        (
            |leaf| leaf.subject_alt_names.push(uri("spiffe://a.example/other")),
            Error::SeveralNames,
        ),
        (
            |leaf| leaf.subject_alt_names.push(uri("https://a.example/")),
            Error::SeveralNames,
        ),
        (|leaf| leaf.subject_alt_names.clear(), Error::NoSpiffeId),
        (
            |leaf| leaf.subject_alt_names = vec![dns("a.example")],
            Error::NoSpiffeId,
        ),
        (
            |leaf| leaf.subject_alt_names = vec![SanType::IpAddress("192.0.2.1".parse().unwrap())],
            Error::NoSpiffeId,
        ),
        (
            |leaf| {
                leaf.subject_alt_names.clear();
                leaf.distinguished_name.push(DnType::CommonName, ID);
            },
            Error::NoSpiffeId,
        ),
        (
            |leaf| leaf.is_ca = IsCa::Ca(BasicConstraints::Unconstrained),
            Error::LeafIsAuthority,
        ),
        (
            |leaf| leaf.key_usages.push(KeyUsagePurpose::KeyCertSign),
            Error::LeafSignsCertificates,
        ),
        (
            |leaf| leaf.key_usages.push(KeyUsagePurpose::CrlSign),
            Error::LeafSignsRevocations,
        ),
        (|leaf| leaf.key_usages.clear(), Error::NoKeyUsage),
        (
            |leaf| leaf.key_usages = vec![KeyUsagePurpose::KeyAgreement],
            Error::NoDigitalSignature,
        ),
        (
            |leaf| leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth],
            Error::NotForClients,
        ),
        (
            |leaf| leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any],
            Error::NotForClients,
        ),
        (|leaf| leaf.not_after = date_time_ymd(2026, 5, 31), Error::Expired),
        (|leaf| leaf.not_before = date_time_ymd(2026, 6, 2), Error::NotYet),
        (
            |leaf| {
                // digitalSignature, not marked critical.
                leaf.key_usages.clear();
                let usage = vec![0x03, 0x02, 0x07, 0x80];
                leaf.custom_extensions
                    .push(CustomExtension::from_oid_content(&[2, 5, 29, 15], usage));
            },
            Error::KeyUsageNotCritical,
        ),
        (
            |leaf| {
                let mut unknown =
                    CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999, 1], vec![5, 0]);
                unknown.set_criticality(true);
                leaf.custom_extensions.push(unknown);
            },
            Error::CriticalExtension,
        ),
    ];
    for (number, (change, expected)) in cases.into_iter().enumerate() {
        let error = verify(&[root.leaf_with(change)], &[&root]).expect_err("must be refused");
        assert_eq!(error, expected, "case {number}");
    }
}

#[test]
fn a_leaf_may_have_other_names_and_no_extended_usage() {
    let root = root("root");
    let leaf = root.leaf_with(|params| {
        params.subject_alt_names.push(dns("db.a.example"));
        params.extended_key_usages.clear();
    });
    assert!(verify(&[leaf], &[&root]).is_ok());
}

#[test]
fn a_name_that_is_no_spiffe_id_is_refused_for_its_own_reason() {
    let root = root("root");
    for (name, expected) in [
        ("https://a.example/deploy", spiffe::Error::Scheme),
        ("SPIFFE://a.example/deploy", spiffe::Error::Scheme),
        ("spiffe://user@a.example/deploy", spiffe::Error::UserInfo),
        ("spiffe://a.example:8443/deploy", spiffe::Error::Port),
        ("spiffe://a.example/deploy?x", spiffe::Error::Query),
        ("spiffe://a.example/deploy#x", spiffe::Error::Fragment),
        ("spiffe://a.example/%64eploy", spiffe::Error::PercentEncoded),
        ("spiffe://a.example//deploy", spiffe::Error::EmptySegment),
        ("spiffe://a.example/./deploy", spiffe::Error::DotSegment),
        ("spiffe://a.example/../deploy", spiffe::Error::DotSegment),
        ("spiffe://a.example/deploy/", spiffe::Error::TrailingSlash),
        ("spiffe://A.example/deploy", spiffe::Error::TrustDomainUpperCase),
        ("spiffe://a.example", spiffe::Error::NoPath),
    ] {
        refused(&[root.leaf(name)], &[&root], Error::SpiffeId(expected));
    }
    let long = format!("spiffe://a.example/{}", "a".repeat(2049 - 19));
    assert_eq!(long.len(), 2049);
    refused(
        &[root.leaf(&long)],
        &[&root],
        Error::SpiffeId(spiffe::Error::TooLong),
    );
}

#[test]
fn every_refusal_has_a_code_of_its_own() {
    let errors = [
        Error::NoCertificate,
        Error::TooMany { certificates_max: 1 },
        Error::TooLarge { bytes_max: 1 },
        Error::Unreadable,
        Error::NoSpiffeId,
        Error::SeveralNames,
        Error::SpiffeId(spiffe::Error::Port),
        Error::LeafIsAuthority,
        Error::LeafSignsCertificates,
        Error::LeafSignsRevocations,
        Error::NoKeyUsage,
        Error::KeyUsageNotCritical,
        Error::NoDigitalSignature,
        Error::NotForClients,
        Error::UnknownTrustDomain,
        Error::Expired,
        Error::NotYet,
        Error::AuthorityNotValid,
        Error::UnknownAuthority,
        Error::NotAnAuthority,
        Error::ForeignAuthority,
        Error::Signature,
        Error::SignatureKind,
        Error::NameConstraints,
        Error::ConstraintsUnreadable,
        Error::PathTooLong,
        Error::Unused,
        Error::EqualNames,
        Error::TooCostly,
        Error::CriticalExtension,
        Error::Malformed,
    ];
    let codes: std::collections::HashSet<&str> = errors.iter().map(Error::code).collect();
    assert_eq!(codes.len(), errors.len());
}

#[test]
fn a_leaf_counts_only_under_the_bundle_of_its_own_trust_domain() {
    let (a, b) = (root("root a"), root("root b"));
    let mut bundles = bundle(&[&a]);
    bundles.insert("b.example".into(), vec![b.der.clone()]);
    let (bundles, _) = Bundles::read(bundles);
    let verify = |leaf: CertificateDer<'static>| {
        certificate::verify(&[leaf], &bundles, &Limits::default(), NOW_MS).map_err(|failure| failure.error)
    };
    assert!(verify(b.leaf("spiffe://b.example/x")).is_ok());
    assert_eq!(verify(b.leaf(ID)).unwrap_err(), Error::UnknownAuthority);
    assert_eq!(
        verify(a.leaf("spiffe://b.example/x")).unwrap_err(),
        Error::UnknownAuthority
    );
    assert_eq!(
        verify(a.leaf("spiffe://c.example/x")).unwrap_err(),
        Error::UnknownTrustDomain
    );
}

#[test]
fn an_authority_of_another_trust_domain_is_no_link_of_the_chain() {
    let root = root("root");
    for name in [
        "spiffe://b.example",
        "spiffe://b.example/ca",
        "https://a.example",
        "SPIFFE://a.example",
    ] {
        let foreign = root.intermediate_with("foreign", |params| params.subject_alt_names = vec![uri(name)]);
        refused(
            &[foreign.leaf(ID), foreign.der.clone()],
            &[&root],
            Error::ForeignAuthority,
        );
    }
}

#[test]
fn what_may_not_sign_is_no_link_of_the_chain() {
    let root = root("root");
    let not_ca = root.intermediate_with("x", |params| params.is_ca = IsCa::ExplicitNoCa);
    refused(
        &[not_ca.leaf(ID), not_ca.der.clone()],
        &[&root],
        Error::NotAnAuthority,
    );
    let no_signing = root.intermediate_with("x", |params| {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature]
    });
    refused(
        &[no_signing.leaf(ID), no_signing.der.clone()],
        &[&root],
        Error::NotAnAuthority,
    );
    let no_usage = root.intermediate_with("x", |params| params.key_usages.clear());
    refused(
        &[no_usage.leaf(ID), no_usage.der.clone()],
        &[&root],
        Error::NotAnAuthority,
    );
    let servers = root.intermediate_with("x", |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    refused(
        &[servers.leaf(ID), servers.der.clone()],
        &[&root],
        Error::NotForClients,
    );
    // A leaf that signs for another: the classic one.
    let leaf_key = KeyPair::generate().unwrap();
    let params = super::pki::leaf_params();
    let issuer = rcgen::Issuer::from_params(&params, &leaf_key);
    let forged = super::pki::leaf_params()
        .signed_by(super::pki::leaf_key(), &issuer)
        .unwrap();
    refused(
        &[forged.der().clone(), root.leaf(ID)],
        &[&root],
        Error::NotAnAuthority,
    );
}

#[test]
fn a_chain_outside_its_times_or_lengths_is_refused() {
    let root = root("root");
    let over = root.intermediate_with("over", |params| params.not_after = date_time_ymd(2026, 5, 31));
    refused(
        &[over.leaf(ID), over.der.clone()],
        &[&root],
        Error::AuthorityNotValid,
    );
    let early = root.intermediate_with("early", |params| params.not_before = date_time_ymd(2026, 6, 2));
    refused(
        &[early.leaf(ID), early.der.clone()],
        &[&root],
        Error::AuthorityNotValid,
    );
    let last = root.intermediate_with("last", |params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0))
    });
    assert!(verify(&[last.leaf(ID), last.der.clone()], &[&root]).is_ok());
    let below = last.intermediate("below");
    refused(
        &[below.leaf(ID), below.der.clone(), last.der.clone()],
        &[&root],
        Error::PathTooLong,
    );
}

#[test]
fn a_leaf_counts_from_its_first_second_to_its_last() {
    let root = root("root");
    let (bundles, _) = Bundles::read(bundle(&[&root]));
    let leaf = root.leaf(ID);
    let at = |seconds: i64| {
        let chain = std::slice::from_ref(&leaf);
        let verified = certificate::verify(chain, &bundles, &Limits::default(), seconds * 1000);
        verified.map(drop).map_err(|failure| failure.error)
    };
    let first = date_time_ymd(2026, 5, 1).unix_timestamp();
    let last = date_time_ymd(2026, 7, 1).unix_timestamp();
    assert_eq!(at(first - 1), Err(Error::NotYet));
    assert_eq!(at(first), Ok(()));
    assert_eq!(at(last), Ok(()));
    assert_eq!(at(last + 1), Err(Error::Expired));
}

#[test]
fn an_authority_of_the_bundle_counts_only_in_its_own_time() {
    let over = root_with("root", |params| params.not_after = date_time_ymd(2026, 5, 31));
    refused(&[over.leaf(ID)], &[&over], Error::UnknownAuthority);
    let early = root_with("root", |params| params.not_before = date_time_ymd(2026, 6, 2));
    refused(&[early.leaf(ID)], &[&early], Error::UnknownAuthority);
}

#[test]
fn a_signature_that_is_not_the_authoritys_is_refused() {
    let (real, fake) = (root("root"), root("root"));
    refused(&[fake.leaf(ID)], &[&real], Error::Signature);
    let leaf = real.leaf(ID);
    for position in 0..leaf.len() {
        let mut bytes = leaf.to_vec();
        bytes[position] ^= 1;
        let outcome = verify(&[CertificateDer::from(bytes)], &[&real]);
        assert!(outcome.is_err(), "byte {position}");
    }
}

#[test]
fn a_chain_beyond_the_limits_is_refused_before_it_is_read() {
    let limits = Limits::default();
    let garbage = |bytes: usize| CertificateDer::from(vec![0; bytes]);
    refused(&[], &[], Error::NoCertificate);
    let certificates_max = limits.chain_certificates_max;
    let many: Chain = (0..=certificates_max).map(|_| garbage(1)).collect();
    refused(&many, &[], Error::TooMany { certificates_max });
    refused(&many[1..], &[], Error::Unreadable);
    let bytes_max = limits.chain_bytes_max;
    refused(
        &[garbage(bytes_max), garbage(1)],
        &[],
        Error::TooLarge { bytes_max },
    );
    refused(&[garbage(bytes_max)], &[], Error::Unreadable);
    let root = root("root");
    let trailing = CertificateDer::from([&root.leaf(ID)[..], &[0]].concat());
    refused(&[trailing], &[&root], Error::Unreadable);
}

#[test]
fn every_certificate_sent_is_part_of_the_chain_except_the_root_itself() {
    let root = root("root");
    let (used, other) = (root.intermediate("used"), root.intermediate("other"));
    let leaf = used.leaf(ID);
    assert!(verify(&[leaf.clone(), used.der.clone(), root.der.clone()], &[&root]).is_ok());
    refused(
        &[leaf.clone(), used.der.clone(), other.der.clone()],
        &[&root],
        Error::Unused,
    );
    refused(
        &[leaf.clone(), used.der.clone(), used.der.clone()],
        &[&root],
        Error::EqualNames,
    );
    refused(
        &[
            leaf.clone(),
            used.der.clone(),
            CertificateDer::from(vec![0x30, 0]),
        ],
        &[&root],
        Error::Unreadable,
    );
    refused(&[leaf], &[&root], Error::UnknownAuthority);
}

#[test]
fn a_maze_of_equal_names_is_refused_without_a_search() {
    let root = root("same");
    let maze: Vec<Authority> = (0..4).map(|_| root.intermediate("same")).collect();
    let leaf = maze[0].leaf(ID);
    let chain: Chain = [leaf.clone()]
        .into_iter()
        .chain(maze.iter().map(|one| one.der.clone()))
        .collect();
    refused(&chain, &[&root], Error::EqualNames);
    assert!(verify(&[leaf, maze[0].der.clone()], &[&root]).is_ok());
}

#[test]
fn no_bytes_make_the_reader_of_certificates_panic() {
    let root = root("root");
    let middle = root.intermediate_with("middle", |params| {
        params.custom_extensions.push(permit(&[DOMAIN], &[]))
    });
    let good = [middle.leaf(ID), middle.der.clone()];
    let mut random = super::Random(1);
    for _ in 0..3_000 {
        let chain: Chain = good
            .iter()
            .map(|der| CertificateDer::from(random.damaged(der)))
            .collect();
        let _outcome = verify(&chain, &[&root]);
    }
}

#[test]
fn what_can_be_no_authority_is_left_out_of_a_bundle() {
    let good = root("root");
    let foreign = root_with("root", |params| {
        params.subject_alt_names = vec![uri("spiffe://b.example")]
    });
    let no_signing = root_with("root", |params| {
        params.key_usages = vec![KeyUsagePurpose::CrlSign]
    });
    let mut bundles = bundle(&[&good, &foreign, &no_signing]);
    let listed = bundles.get_mut(DOMAIN).unwrap();
    listed.push(good.leaf(ID));
    listed.push(CertificateDer::from(vec![1, 2, 3]));
    let (bundles, left_out) = Bundles::read(bundles);
    assert_eq!(left_out.len(), 4, "{left_out:?}");
    assert!(
        left_out
            .iter()
            .all(|why| why.starts_with("bundle of `a.example`: certificate "))
    );
    assert_eq!(bundles.authorities(DOMAIN, NOW_MS / 1000).unwrap().len(), 1);
    // A leaf in the bundle does not vouch for itself.
    assert!(certificate::verify(&[good.leaf(ID)], &bundles, &Limits::default(), NOW_MS).is_ok());
}

mod uri_constraints {
    use super::*;

    fn constrained(by: &Authority, name: &str, uris: &[&str], names: &[&str]) -> Authority {
        by.intermediate_with(name, |params| params.custom_extensions.push(permit(uris, names)))
    }

    #[test]
    fn an_intermediate_for_this_trust_domain_may_name_its_workloads() {
        let root = root("root");
        let middle = constrained(&root, "middle", &[DOMAIN], &[]);
        assert!(verify(&[middle.leaf(ID), middle.der.clone()], &[&root]).is_ok());
        let low = middle.intermediate("low");
        assert!(verify(&[low.leaf(ID), low.der.clone(), middle.der.clone()], &[&root]).is_ok());
        let twice = constrained(&middle, "twice", &[DOMAIN, "b.example"], &[]);
        let verified = verify(&[twice.leaf(ID), twice.der.clone(), middle.der.clone()], &[&root]);
        assert_eq!(verified.unwrap().id.as_str(), ID);
        let high = root.intermediate("high");
        let middle = constrained(&high, "middle", &[DOMAIN], &[]);
        assert!(verify(&[middle.leaf(ID), middle.der.clone(), high.der.clone()], &[&root]).is_ok());
    }

    #[test]
    fn an_intermediate_for_another_trust_domain_may_not() {
        let root = root("root");
        for host in ["b.example", ".a.example", "example", "xa.example"] {
            let middle = constrained(&root, "middle", &[host], &[]);
            refused(
                &[middle.leaf(ID), middle.der.clone()],
                &[&root],
                Error::NameConstraints,
            );
            let low = middle.intermediate("low");
            let chain = [low.leaf(ID), low.der.clone(), middle.der.clone()];
            refused(&chain, &[&root], Error::NameConstraints);
            let widened = constrained(&middle, "widened", &[DOMAIN], &[]);
            let chain = [widened.leaf(ID), widened.der.clone(), middle.der.clone()];
            refused(&chain, &[&root], Error::NameConstraints);
        }
    }

    #[test]
    fn a_root_is_held_to_its_constraints_too() {
        let good = root_with("root", |params| {
            params.custom_extensions.push(permit(&[DOMAIN], &[]))
        });
        assert!(verify(&[good.leaf(ID)], &[&good]).is_ok());
        let middle = constrained(&good, "middle", &[DOMAIN], &[]);
        assert!(verify(&[middle.leaf(ID), middle.der.clone()], &[&good]).is_ok());
        let other = root_with("root", |params| {
            params.custom_extensions.push(permit(&["b.example"], &[]))
        });
        refused(&[other.leaf(ID)], &[&other], Error::NameConstraints);
        let middle = constrained(&other, "middle", &[DOMAIN], &[]);
        refused(
            &[middle.leaf(ID), middle.der.clone()],
            &[&other],
            Error::NameConstraints,
        );
    }

    #[test]
    fn constraints_on_other_names_hold_beside_those_on_uris() {
        let named =
            |by: &Authority, name: &str| by.leaf_with(|params| params.subject_alt_names.push(dns(name)));
        let root = root("root");
        let middle = constrained(&root, "middle", &[DOMAIN], &["db.example"]);
        assert!(verify(&[named(&middle, "x.db.example"), middle.der.clone()], &[&root]).is_ok());
        let outside = [named(&middle, "evil.example"), middle.der.clone()];
        refused(&outside, &[&root], Error::NameConstraints);
        // Also when they stand above the certificate that constrains URIs.
        let high = constrained(&root, "high", &[], &["db.example"]);
        let middle = constrained(&high, "middle", &[DOMAIN], &[]);
        let chain = |name| [named(&middle, name), middle.der.clone(), high.der.clone()];
        assert!(verify(&chain("x.db.example"), &[&root]).is_ok());
        refused(&chain("evil.example"), &[&root], Error::NameConstraints);
        let root = root_with("root", |params| {
            params.custom_extensions.push(permit(&[DOMAIN], &["db.example"]))
        });
        let middle = constrained(&root, "middle", &[DOMAIN], &[]);
        assert!(verify(&[named(&middle, "x.db.example"), middle.der.clone()], &[&root]).is_ok());
        refused(
            &[named(&middle, "evil.example"), middle.der.clone()],
            &[&root],
            Error::NameConstraints,
        );
        // Names of an authority itself are not compared, so they do not pass.
        let middle = root.intermediate_with("middle", |params| {
            params.custom_extensions.push(permit(&[DOMAIN], &[]));
            params.subject_alt_names = vec![dns("x.db.example")];
        });
        refused(
            &[middle.leaf(ID), middle.der.clone()],
            &[&root],
            Error::NameConstraints,
        );
    }

    #[test]
    fn a_constrained_chain_is_verified_as_strictly_as_any_other() {
        let (real, fake) = (root("root"), root("root"));
        let middle = constrained(&fake, "middle", &[DOMAIN], &[]);
        refused(&[middle.leaf(ID), middle.der.clone()], &[&real], Error::Signature);
        let stranger = root("stranger");
        let middle = constrained(&stranger, "middle", &[DOMAIN], &[]);
        refused(
            &[middle.leaf(ID), middle.der.clone()],
            &[&real],
            Error::UnknownAuthority,
        );

        let middle = constrained(&real, "middle", &[DOMAIN], &[]);
        let twin = constrained(&real, "middle", &[DOMAIN], &[]);
        refused(&[twin.leaf(ID), middle.der.clone()], &[&real], Error::Signature);
        refused(
            &[real.leaf(ID), middle.der.clone()],
            &[&real],
            Error::UnknownAuthority,
        );
        let low = middle.intermediate("low");
        refused(
            &[middle.leaf(ID), low.der.clone(), middle.der.clone()],
            &[&real],
            Error::Unused,
        );
        // The order is the one that TLS asks for.
        refused(
            &[low.leaf(ID), middle.der.clone(), low.der.clone()],
            &[&real],
            Error::UnknownAuthority,
        );

        type Change = fn(&mut CertificateParams);
        let cases: [(Change, Error); 6] = [
            (
                |params| params.not_after = date_time_ymd(2026, 5, 31),
                Error::AuthorityNotValid,
            ),
            (
                |params| params.not_before = date_time_ymd(2026, 6, 2),
                Error::AuthorityNotValid,
            ),
            (|params| params.is_ca = IsCa::ExplicitNoCa, Error::NotAnAuthority),
            (
                |params| params.key_usages = vec![KeyUsagePurpose::CrlSign],
                Error::NotAnAuthority,
            ),
            (
                |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth],
                Error::NotForClients,
            ),
            (
                |params| {
                    let mut unknown = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
                    unknown.set_criticality(true);
                    params.custom_extensions.push(unknown);
                },
                Error::CriticalExtension,
            ),
        ];
        for (change, expected) in cases {
            let middle = real.intermediate_with("middle", |params| {
                params.custom_extensions.push(permit(&[DOMAIN], &[]));
                change(params);
            });
            refused(&[middle.leaf(ID), middle.der.clone()], &[&real], expected.clone());
            // And one floor higher.
            let high = real.intermediate_with("high", change);
            let middle = constrained(&high, "middle", &[DOMAIN], &[]);
            refused(
                &[middle.leaf(ID), middle.der.clone(), high.der.clone()],
                &[&real],
                expected,
            );
        }
        let shallow = real.intermediate_with("shallow", |params| {
            params.custom_extensions.push(permit(&[DOMAIN], &[]));
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        });
        assert!(verify(&[shallow.leaf(ID), shallow.der.clone()], &[&real]).is_ok());
        let low = shallow.intermediate("low");
        refused(
            &[low.leaf(ID), low.der.clone(), shallow.der.clone()],
            &[&real],
            Error::PathTooLong,
        );
    }

    #[test]
    fn any_changed_byte_of_a_constrained_chain_is_refused() {
        let root = root("root");
        let middle = constrained(&root, "middle", &[DOMAIN], &[]);
        let leaf = middle.leaf(ID);
        for position in 0..middle.der.len() {
            let mut bytes = middle.der.to_vec();
            bytes[position] ^= 1;
            assert!(
                verify(&[leaf.clone(), CertificateDer::from(bytes)], &[&root]).is_err(),
                "byte {position}"
            );
        }
    }
}
