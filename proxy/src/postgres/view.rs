//! The view that judges a session: who it is, where it is, and the rules of now.

use std::net::IpAddr;
use std::rc::Rc;

use postern_policies::Run;

use crate::authorize::{Authorizer, Rules, View, ViewFacts};
use crate::identity::{self, Identity};

use super::Place;

pub(super) fn view(
    identity: &Identity,
    place: &Place,
    source: IpAddr,
    rules: &Rules,
    authorizer: &Authorizer,
) -> Rc<View> {
    let workload = identity.workload();
    let facts = ViewFacts {
        policy_epoch: rules.snapshot.number,
        workload: workload.name.clone(),
        segments: workload.segments.clone(),
        target: place.target.clone(),
        database: place.database.clone(),
        role: place.role.clone(),
        source,
        evidence: identity.evidence().kind.name(),
        run: identity.run().map(run_facts),
    };
    let keep_raw_text = rules
        .target(&place.target)
        .is_some_and(|target| target.postgres.keep_raw_text);
    authorizer.view(
        facts,
        |facts| rules.policies.slice(&facts.workload, &facts.segments),
        keep_raw_text,
    )
}

fn run_facts(run: &identity::Run) -> Run {
    Run {
        provider: run.provider.to_string(),
        repository: run.repository.clone(),
        repository_id: run.repository_id.clone(),
        r#ref: run.reference.clone(),
        sha: run.sha.clone(),
        workflow: run.workflow.clone(),
        environment: run.environment.clone(),
        event: run.event.clone(),
        actor: run.actor.clone(),
        run_id: run.run_id.clone(),
        attempt: run.attempt.clone(),
        job: run.job.clone(),
    }
}
