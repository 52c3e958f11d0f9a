//! A control plane that is slow instead of away: the gateway serves while its spool has room, and no longer.

use postern_tests::slow::FREE;
use postern_tests::{Planes, Wishes, World};

use super::full_disk::{Asked, resident_bytes};

/// A kilobyte a second.
const TRICKLE: usize = 10;

#[test]
fn behind_a_slow_control_plane_a_gateway_serves_within_its_room_and_does_not_grow() {
    let mut world = World::start(&Wishes {
        planes: Planes::Apart,
        limits: "workers: 1, spool_bytes_max: 262144, spool_file_bytes_max: 65536, record_bytes_max: 65536"
            .into(),
        ..Wishes::default()
    });
    let wire = world.on_a_slow_wire();
    let mut asked = Asked::by(&world);
    assert!(asked.ask());
    for (to_control, to_gateway) in [(TRICKLE, FREE), (FREE, 0), (0, 0)] {
        let before = asked.ran.len();
        wire.carry(to_control, to_gateway);
        asked.until_refused();
        let served = asked.ran.len() - before;
        assert!(served >= 50, "there was room for more than {served}");
        let memory = resident_bytes(world.pid());
        for _ in 0..1_000 {
            asked.ask();
        }
        let grown = resident_bytes(world.pid()).saturating_sub(memory);
        wire.carry(FREE, FREE);
        let again = asked.until_served();
        eprintln!(
            "{to_control} bytes a tick to it and {to_gateway} back: {served} served, grown by {grown} bytes of \
             {memory}, served again after {again:?}"
        );
        assert!(grown < 16 << 20, "{grown} bytes");
    }
    asked.check();
    // Nothing came twice and nothing out of order, however often it was sent again.
    let mut last = std::collections::HashMap::new();
    for record in &world.stored_records() {
        let last = last
            .entry((&record.gateway, record.worker, record.epoch))
            .or_insert(0);
        *last += 1;
        assert_eq!(record.number, *last);
    }
}
