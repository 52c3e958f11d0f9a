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

use postern_link::snapshot::Workload;

use super::Identity;

/// A workload that has shown a good certificate, for the tests of those who are given identities.
pub(crate) fn someone(sessions_max: Option<u32>) -> Identity {
    let long = |params: &mut rcgen::CertificateParams| params.not_after = rcgen::date_time_ymd(2999, 1, 1);
    let root = pki::root_with("root", long);
    let identities = pki::trusting(&[&root]);
    let deploy = Workload {
        sessions_max,
        ..world::workload("deploy", vec![world::by_spiffe(pki::ID)])
    };
    identities.set_known(world::known(&world::snapshot(Vec::new(), vec![deploy])));
    identities
        .by_certificate(&[root.leaf_with(long)], world::home(), pki::NOW_MS)
        .unwrap()
}

/// A small generator, always the same numbers: what it found once it finds again.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    /// The same bytes with a few of them changed, taken out or cut off.
    fn damaged(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.below(4) {
            let position = self.below(bytes.len().max(1));
            match self.below(4) {
                0 if position < bytes.len() => drop(bytes.remove(position)),
                1 => bytes.truncate(position),
                2 => bytes.insert(position, u8::try_from(self.below(256)).unwrap()),
                _ if position < bytes.len() => bytes[position] = u8::try_from(self.below(256)).unwrap(),
                _ => {}
            }
        }
        bytes
    }
}
